#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/protocols/tls_clear.h"

// The two hellos of TLS and DTLS. All pieces are views into the octets they were read from.

namespace curlew::collector {

inline constexpr uint16_t kExtensionServerName = 0;  // RFC 6066
inline constexpr uint16_t kExtensionSupportedGroups = 10;
inline constexpr uint16_t kExtensionPointFormats = 11;  // RFC 8422
inline constexpr uint16_t kExtensionSignatureAlgorithms = 13;
inline constexpr uint16_t kExtensionProtocolNames = 16;  // ALPN, RFC 7301
inline constexpr uint16_t kExtensionSupportedVersions = 43;

struct TlsExtension {
    uint16_t type = 0;
    std::string_view body;
};

struct ClientHello {
    uint16_t version = 0;  // of the hello itself, not of what it supports; 0: it is not there, or 0
    std::string_view random;
    std::string_view session_id;
    std::vector<uint32_t> cipher_suites;  // over 0xffff only in an SSLv2 hello
    std::vector<TlsExtension> extensions;

    // Out of the extensions; empty when there are none.
    std::string_view server_name;
    std::vector<std::string_view> protocol_names;
    std::vector<uint16_t> supported_versions;
    std::vector<uint16_t> supported_groups;
    std::vector<uint8_t> point_formats;
    std::vector<uint16_t> signature_algorithms;

    bool version2 = false;   // in the form of SSLv2: without extensions
    bool complete = false;   // every list was read to its end
    bool malformed = false;  // a length contradicts what is around it

    // The highest version that is offered, GREASE aside. Of one that is cut, as far as is told.
    uint16_t highest_version() const noexcept;
    // False where what was cut off could offer a higher one.
    bool tells_highest_version() const noexcept;
};

struct ServerHello {
    uint16_t version = 0;  // as ClientHello's
    std::string_view random;
    std::string_view session_id;
    uint16_t cipher_suite = 0;
    std::vector<TlsExtension> extensions;
    std::string_view protocol_name;
    uint16_t selected_version = 0;  // by the extension; 0: there is none

    bool complete = false;
    bool malformed = false;

    // What is spoken from here on.
    uint16_t chosen_version() const noexcept {
        return selected_version ? selected_version : version;
    }
    // False where what was cut off could choose another.
    bool tells_chosen_version() const noexcept;
    // Asks for another ClientHello (RFC 8446 section 4.1.3).
    bool is_retry_request() const noexcept;
};

// `whole` says that the message ends where `body` does; else the stream ended before it.
ClientHello read_client_hello(std::string_view body, bool whole, TlsForm form = TlsForm::tls);
ServerHello read_server_hello(std::string_view body, bool whole);

// `body` is TlsClear::version2_hello.
ClientHello read_version2_hello(std::string_view body);

// Values that mean nothing and keep servers tolerant (RFC 8701).
bool is_grease(uint32_t value) noexcept;

// "TLSv1.2", "DTLSv1.2", "SSLv3", "TLSv1.3-draft-28"; four hex digits when there is no such
// version.
std::string version_name(uint16_t version);

}  // namespace curlew::collector

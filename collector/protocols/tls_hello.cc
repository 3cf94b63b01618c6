#include "collector/protocols/tls_hello.h"

#include <fmt/format.h>

#include <algorithm>

#include "collector/protocols/cursor.h"

namespace curlew::collector {
namespace {

constexpr size_t kRandomOctets = 32;
constexpr size_t kMaximumSessionIdOctets = 32;
constexpr size_t kMaximumExtensions = 128;
constexpr uint8_t kNameTypeHost = 0;

// SHA-256 of "HelloRetryRequest", RFC 8446 section 4.1.3.
constexpr std::string_view kRetryRandom(
    "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
    "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c");

bool is_draft(uint16_t version) {
    return version >> 8 == 0x7f;
}

// Later versions rank higher: those of DTLS count down, drafts of TLS 1.3 stand below it.
uint32_t age_rank(uint16_t version) {
    constexpr uint32_t kTls12 = 0x0303;
    if (is_draft(version)) {
        return kTls12 << 8 | (version & 0xff);
    }
    return version >> 8 == 0xfe ? uint32_t{0xfeff00} - (version & 0xff) : uint32_t{version} << 8;
}

// What hellos of TLS 1.3 and DTLS 1.3 have, whose extensions say so, or one cut before it says.
bool may_be_another(uint16_t version) {
    constexpr uint16_t kTls12 = 0x0303;
    constexpr uint16_t kDtls12 = 0xfefd;
    return version == 0 || version == kTls12 || version == kDtls12;
}

// Numbers of two octets to the end of `list`. False when one is cut.
template <typename Number>
bool read_numbers(std::string_view list, std::vector<Number>& numbers) {
    Cursor cursor(list);
    while (cursor.left() >= 2) {
        numbers.push_back(cursor.u16());
    }
    return cursor.left() == 0;
}

// RFC 6066 section 3
//
//  length 2 | entries of { type 1 | length 2 | name }
bool read_server_name(std::string_view extension, ClientHello& hello) {
    Cursor cursor(extension);
    Cursor list(cursor.take_counted(2));
    while (list.left() > 0) {
        const uint8_t type = list.u8();
        const std::string_view name = list.take_counted(2);
        if (list.ok() && type == kNameTypeHost && hello.server_name.empty()) {
            hello.server_name = name;
        }
    }
    return cursor.ok() && cursor.left() == 0 && list.ok();
}

// RFC 7301 section 3.1
//
//  length 2 | names, each behind its length 1
bool read_protocol_names(std::string_view extension, std::vector<std::string_view>& names) {
    Cursor cursor(extension);
    Cursor list(cursor.take_counted(2));
    while (list.left() > 0) {
        const std::string_view name = list.take_counted(1);
        if (list.ok()) {
            names.push_back(name);
        }
    }
    return cursor.ok() && cursor.left() == 0 && list.ok();
}

// A list of numbers of two octets behind its length.
bool read_number_list(std::string_view extension,
                      size_t length_octets,
                      std::vector<uint16_t>& numbers) {
    Cursor cursor(extension);
    const std::string_view list = cursor.take_counted(length_octets);
    return read_numbers(list, numbers) && cursor.ok() && cursor.left() == 0;
}

bool read_point_formats(std::string_view extension, std::vector<uint8_t>& formats) {
    Cursor cursor(extension);
    const std::string_view list = cursor.take_counted(1);
    formats.assign(list.begin(), list.end());
    return cursor.ok() && cursor.left() == 0;
}

// False when the extension contradicts itself. An extension that comes twice counts once.
bool read_client_extension(const TlsExtension& extension, ClientHello& hello) {
    switch (extension.type) {
        case kExtensionServerName:
            return !hello.server_name.empty() || read_server_name(extension.body, hello);
        case kExtensionSupportedGroups:
            return !hello.supported_groups.empty() ||
                   read_number_list(extension.body, 2, hello.supported_groups);
        case kExtensionPointFormats:
            return !hello.point_formats.empty() ||
                   read_point_formats(extension.body, hello.point_formats);
        case kExtensionSignatureAlgorithms:
            return !hello.signature_algorithms.empty() ||
                   read_number_list(extension.body, 2, hello.signature_algorithms);
        case kExtensionProtocolNames:
            return !hello.protocol_names.empty() ||
                   read_protocol_names(extension.body, hello.protocol_names);
        case kExtensionSupportedVersions:
            return !hello.supported_versions.empty() ||
                   read_number_list(extension.body, 1, hello.supported_versions);
        default:
            return true;
    }
}

bool read_server_extension(const TlsExtension& extension, ServerHello& hello) {
    if (extension.type == kExtensionSupportedVersions) {
        Cursor cursor(extension.body);
        hello.selected_version = cursor.u16();
        return cursor.ok() && cursor.left() == 0;
    }
    if (extension.type == kExtensionProtocolNames) {
        std::vector<std::string_view> names;
        const bool right = read_protocol_names(extension.body, names);
        hello.protocol_name = names.empty() ? std::string_view{} : names.front();
        return right && names.size() == 1;
    }
    return true;
}

// RFC 8446 section 4.2
//
//  length 2 | extensions of { type 2 | length 2 | body }
//
// The last member of both hellos, and before TLS 1.3 it may be missing. Sets complete and
// malformed.
template <typename Hello, typename ReadExtension>
void read_extensions(Cursor& cursor, bool whole, Hello& hello, ReadExtension&& read_extension) {
    if (!cursor.ok()) {
        hello.malformed = whole;
        return;
    }
    if (whole && cursor.left() == 0) {
        hello.complete = true;
        return;
    }
    const size_t length = cursor.u16();
    const bool there = cursor.ok() && length <= cursor.left();
    Cursor list(cursor.take(std::min(length, cursor.left())));
    bool right = true;
    while (list.left() > 0 && hello.extensions.size() < kMaximumExtensions) {
        TlsExtension extension;
        extension.type = list.u16();
        extension.body = list.take_counted(2);
        if (list.ok()) {
            hello.extensions.push_back(extension);
            right = read_extension(extension, hello) && right;
        }
    }
    hello.complete = there && list.ok() && list.left() == 0;
    hello.malformed = !right || (there ? !hello.complete : whole) || (there && cursor.left() > 0);
}

}  // namespace

uint16_t ClientHello::highest_version() const noexcept {
    uint16_t highest = 0;
    for (const uint16_t one : supported_versions) {
        if (!is_grease(one) && age_rank(one) > age_rank(highest)) {
            highest = one;
        }
    }
    return highest != 0 ? highest : version;
}

bool ClientHello::tells_highest_version() const noexcept {
    return complete || malformed || !supported_versions.empty() || !may_be_another(version);
}

bool ServerHello::tells_chosen_version() const noexcept {
    return complete || malformed || selected_version != 0 || !may_be_another(version);
}

bool ServerHello::is_retry_request() const noexcept {
    return random == kRetryRandom;
}

// RFC 8446 section 4.1.2, RFC 6347 section 4.2.1
//
//  version 2 | random 32 | session id 1+n | DTLS: cookie 1+n | cipher suites 2+n
//  | compression methods 1+n | extensions
ClientHello read_client_hello(std::string_view body, bool whole, TlsForm form) {
    ClientHello hello;
    Cursor cursor(body);
    hello.version = cursor.u16();
    hello.random = cursor.take(kRandomOctets);
    hello.session_id = cursor.take_counted(1);
    if (form == TlsForm::dtls) {
        cursor.take_counted(1);
    }
    const bool suites_right = read_numbers(cursor.take_counted(2), hello.cipher_suites);
    cursor.take_counted(1);
    read_extensions(cursor, whole, hello, read_client_extension);
    hello.malformed =
        hello.malformed || !suites_right || hello.session_id.size() > kMaximumSessionIdOctets;
    return hello;
}

//  version 2 | random 32 | session id 1+n | cipher suite 2 | compression method 1 | extensions
//
// Early drafts of TLS 1.3 have neither session id nor compression method.
ServerHello read_server_hello(std::string_view body, bool whole) {
    ServerHello hello;
    Cursor cursor(body);
    hello.version = cursor.u16();
    hello.random = cursor.take(kRandomOctets);
    if (!is_draft(hello.version)) {
        hello.session_id = cursor.take_counted(1);
    }
    hello.cipher_suite = cursor.u16();
    if (!is_draft(hello.version)) {
        cursor.u8();
    }
    read_extensions(cursor, whole, hello, read_server_extension);
    hello.malformed = hello.malformed || hello.session_id.size() > kMaximumSessionIdOctets;
    return hello;
}

//  version 2 | octets of cipher specs 2 | of session id 2 | of challenge 2
//  | cipher specs, 3 octets each | session id | challenge
ClientHello read_version2_hello(std::string_view body) {
    ClientHello hello;
    hello.version2 = true;
    Cursor cursor(body);
    hello.version = cursor.u16();
    const size_t specs = cursor.u16();
    const size_t session_id = cursor.u16();
    const size_t challenge = cursor.u16();
    for (size_t i = 0; i < specs / 3 && cursor.left() >= 3; ++i) {
        hello.cipher_suites.push_back(cursor.u24());
    }
    hello.session_id = cursor.take(session_id);
    hello.random = cursor.take(challenge);
    hello.complete = cursor.ok();
    return hello;
}

bool is_grease(uint32_t value) noexcept {
    return (value & 0x0f0f) == 0x0a0a && (value >> 8) == (value & 0xff);
}

std::string version_name(uint16_t version) {
    switch (version) {
        case 0x0002:
            return "SSLv2";
        case 0x0300:
            return "SSLv3";
        case 0x0301:
            return "TLSv1.0";
        case 0x0302:
            return "TLSv1.1";
        case 0x0303:
            return "TLSv1.2";
        case 0x0304:
            return "TLSv1.3";
        case 0xfeff:
            return "DTLSv1.0";
        case 0xfefd:
            return "DTLSv1.2";
        case 0xfefc:
            return "DTLSv1.3";
        default:
            break;
    }
    return is_draft(version) ? fmt::format("TLSv1.3-draft-{}", version & 0xff)
                             : fmt::format("{:04x}", version);
}

}  // namespace curlew::collector

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace curlew::collector {

enum class JoyRole : uint8_t { none, client, server };

struct JoyExtension {
    uint16_t type = 0;
    std::string data;  // empty for one longer than Joy prints
};

struct JoyHandshakeMessage {
    uint8_t type = 0;
    uint16_t length = 0;
};

// Records whose handshake messages Joy notes, and messages that it notes of one record.
inline constexpr size_t kJoyNotedRecords = 50;
inline constexpr size_t kJoyNotedMessages = 5;

// What Joy 3.0.3 knows of one side of a TLS connection from its handshake.
struct JoyHandshake {
    JoyRole role = JoyRole::none;
    uint8_t version = 0;  // Joy's numbers: 2 is SSL 3.0, 6 is TLS 1.3; 0: none
    std::array<char, 32> random{};
    std::string session_id;
    bool has_server_name = false;
    std::string server_name;              // as on the wire, up to a NUL
    std::vector<uint16_t> cipher_suites;  // of a server the one it chose
    std::vector<JoyExtension> client_extensions;
    std::vector<JoyExtension> server_extensions;
    std::string client_key_exchange;
    std::vector<std::string> certificates;  // DER
    // By the number of the record, counted from the handshake's first octet.
    std::array<std::vector<JoyHandshakeMessage>, kJoyNotedRecords> messages;
};

// Reads records and messages one behind the other, with Joy's checks and no others; what they let
// it read behind the end is zeros here. Joy bounds `octets` at 11,000; so does the reader.
JoyHandshake read_joy_handshake(std::string_view octets);

// Joy's number of a protocol version, 0 for one that it does not know.
uint8_t joy_tls_version(uint16_t version) noexcept;

}  // namespace curlew::collector

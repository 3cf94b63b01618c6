#pragma once

#include <string>
#include <string_view>

#include "tests/collector/joy_fixture.h"

// TLS of version 1.2 in words: a record holds messages, a message has a body.

namespace curlew::collector {

inline std::string tls_length_2(const std::string& octets) {
    return {static_cast<char>(octets.size() >> 8), static_cast<char>(octets.size())};
}

// With its length in three octets before it.
inline std::string tls_length_3(const std::string& octets) {
    return std::string(1, '\0') + tls_length_2(octets) + octets;
}

inline std::string tls_record(const std::string& content, char type = 22) {
    return std::string(1, type) + "\3\3" + tls_length_2(content) + content;
}

inline std::string tls_message(char type, const std::string& body) {
    return std::string(1, type) + tls_length_3(body);
}

// Session, suites and extensions in hex. All octets of the random are 0x11.
inline std::string client_hello(std::string_view session,
                                std::string_view suites,
                                std::string_view extensions) {
    const std::string session_octets = octets_from_hex(session);
    const std::string suite_octets = octets_from_hex(suites);
    const std::string extension_octets = octets_from_hex(extensions);
    return "\3\3" + std::string(32, '\x11') +
           std::string(1, static_cast<char>(session_octets.size())) + session_octets +
           tls_length_2(suite_octets) + suite_octets + octets_from_hex("0100") +
           tls_length_2(extension_octets) + extension_octets;
}

// All octets of the random are 0x22.
inline std::string server_hello(std::string_view version,
                                std::string_view session,
                                std::string_view suite,
                                std::string_view extensions) {
    const std::string session_octets = octets_from_hex(session);
    const std::string extension_octets = octets_from_hex(extensions);
    return octets_from_hex(version) + std::string(32, '\x22') +
           std::string(1, static_cast<char>(session_octets.size())) + session_octets +
           octets_from_hex(suite) + std::string(1, '\0') + tls_length_2(extension_octets) +
           extension_octets;
}

}  // namespace curlew::collector

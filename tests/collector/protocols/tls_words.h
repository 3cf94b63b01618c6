#pragma once

#include <cstdint>
#include <string>
#include <vector>

// TLS in words, innermost first: an extension in a hello, a hello in a message, messages in
// records.

namespace curlew::collector {

inline std::string number(size_t value, size_t octets) {
    std::string text;
    for (size_t i = octets; i > 0; --i) {
        text.push_back(static_cast<char>(value >> 8 * (i - 1) & 0xff));
    }
    return text;
}

// Behind its length.
inline std::string counted(size_t length_octets, const std::string& octets) {
    return number(octets.size(), length_octets) + octets;
}

inline std::string numbers(const std::vector<uint16_t>& values) {
    std::string text;
    for (const uint16_t value : values) {
        text += number(value, 2);
    }
    return text;
}

inline std::string extension(uint16_t type, const std::string& body) {
    return number(type, 2) + counted(2, body);
}

inline std::string server_name(const std::string& name) {
    return extension(0, counted(2, number(0, 1) + counted(2, name)));
}

inline std::string protocol_names(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) {
        list += counted(1, name);
    }
    return extension(16, counted(2, list));
}

inline std::string supported_groups(const std::vector<uint16_t>& groups) {
    return extension(10, counted(2, numbers(groups)));
}

inline std::string point_formats(const std::string& formats) {
    return extension(11, counted(1, formats));
}

inline std::string signature_algorithms(const std::vector<uint16_t>& algorithms) {
    return extension(13, counted(2, numbers(algorithms)));
}

inline std::string supported_versions(const std::vector<uint16_t>& versions) {
    return extension(43, counted(1, numbers(versions)));
}

inline constexpr char kClientRandom[] = "client random of 32 octets -----";
inline constexpr char kServerRandom[] = "server random of 32 octets -----";

struct ClientWords {
    uint16_t version = 0x0303;
    std::string session_id;
    std::vector<uint16_t> suites = {0xc02f};
    std::vector<std::string> extensions;
    bool has_extensions = true;
};

inline std::string joined(const std::vector<std::string>& pieces) {
    std::string text;
    for (const std::string& piece : pieces) {
        text += piece;
    }
    return text;
}

inline std::string client_hello(const ClientWords& words) {
    return number(words.version, 2) + kClientRandom + counted(1, words.session_id) +
           counted(2, numbers(words.suites)) + counted(1, std::string(1, '\0')) +
           (words.has_extensions ? counted(2, joined(words.extensions)) : "");
}

struct ServerWords {
    uint16_t version = 0x0303;
    std::string random = kServerRandom;
    std::string session_id;
    uint16_t suite = 0xc02f;
    std::vector<std::string> extensions;
};

inline std::string server_hello(const ServerWords& words) {
    return number(words.version, 2) + words.random + counted(1, words.session_id) +
           number(words.suite, 2) + number(0, 1) + counted(2, joined(words.extensions));
}

// SHA-256 of "HelloRetryRequest": the random that makes a ServerHello one.
inline std::string retry_random() {
    return "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
           "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
}

inline std::string certificates(const std::vector<std::string>& ders) {
    std::string list;
    for (const std::string& der : ders) {
        list += counted(3, der);
    }
    return counted(3, list);
}

inline std::string message(uint8_t type, const std::string& body) {
    return number(type, 1) + counted(3, body);
}

inline std::string record(uint8_t type, const std::string& content) {
    return number(type, 1) + number(0x0303, 2) + counted(2, content);
}

inline std::string handshake_record(const std::string& messages) {
    return record(22, messages);
}

inline std::string change_cipher_spec() {
    return record(20, "\1");
}

// Octets `from` to `end` of a message of DTLS.
inline std::string dtls_fragment(
    uint8_t type, uint16_t sequence, const std::string& body, size_t from, size_t end) {
    return number(type, 1) + number(body.size(), 3) + number(sequence, 2) + number(from, 3) +
           counted(3, body.substr(from, end - from));
}

inline std::string dtls_message(uint8_t type, uint16_t sequence, const std::string& body) {
    return dtls_fragment(type, sequence, body, 0, body.size());
}

inline std::string dtls_record(uint8_t type, const std::string& content, uint16_t epoch = 0) {
    return number(type, 1) + number(0xfefd, 2) + number(epoch, 2) + number(1, 6) +
           counted(2, content);
}

// With an empty cookie.
inline std::string dtls_client_hello(ClientWords words) {
    words.version = 0xfefd;
    std::string hello = client_hello(words);
    return hello.insert(2 + 32 + 1 + words.session_id.size(), 1, '\0');
}

}  // namespace curlew::collector

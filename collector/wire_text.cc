#include "collector/wire_text.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>

namespace curlew::collector {
namespace {

// Octets of the well-formed sequence at the front of `octets`, 0 when there is none. The bounds of
// the second octet shut out overlong forms, surrogates and what lies past U+10FFFF.
size_t sequence_length(std::string_view octets) noexcept {
    const auto octet = [&](size_t i) { return static_cast<uint8_t>(octets[i]); };
    const uint8_t first = octet(0);
    if (first < 0x80) {
        return 1;
    }
    size_t length = 0;
    uint8_t second_low = 0x80;
    uint8_t second_high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        second_low = first == 0xe0 ? 0xa0 : second_low;
        second_high = first == 0xed ? 0x9f : second_high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        second_low = first == 0xf0 ? 0x90 : second_low;
        second_high = first == 0xf4 ? 0x8f : second_high;
    }
    if (length == 0 || octets.size() < length || octet(1) < second_low || octet(1) > second_high) {
        return 0;
    }
    for (size_t i = 2; i < length; ++i) {
        if ((octet(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

}  // namespace

std::string wire_text(std::string_view octets) {
    std::string text;
    text.reserve(octets.size());
    while (!octets.empty()) {
        size_t length = sequence_length(octets);
        if (length > 0) {
            text.append(octets.substr(0, length));
        } else {
            const auto octet = static_cast<uint8_t>(octets.front());
            text.push_back(static_cast<char>(0xc0 | (octet >> 6)));
            text.push_back(static_cast<char>(0x80 | (octet & 0x3f)));
            length = 1;
        }
        octets.remove_prefix(length);
    }
    return text;
}

bool is_utf8(std::string_view octets) noexcept {
    while (!octets.empty()) {
        const size_t length = sequence_length(octets);
        if (length == 0) {
            return false;
        }
        octets.remove_prefix(length);
    }
    return true;
}

std::string address_text(std::string_view address) {
    if (address.size() != 4 && address.size() != 16) {
        return {};
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = address.size() == 4 ? AF_INET : AF_INET6;
    return inet_ntop(family, address.data(), text.data(), text.size());
}

std::string address_octets(const std::string& text) {
    std::array<char, 16> octets{};
    if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
        return {octets.data(), 4};
    }
    if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) {
        return {octets.data(), 16};
    }
    return {};
}

}  // namespace curlew::collector

#include "collector/wire_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

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

char* put_ipv4(char* to, std::string_view address) noexcept {
    for (size_t i = 0; i < address.size(); ++i) {
        if (i > 0) {
            *to++ = '.';
        }
        to = std::to_chars(to, to + 3, static_cast<uint8_t>(address[i])).ptr;
    }
    return to;
}

// Addresses that may be written with an IPv4 address at their end (RFC 5952 section 5): all begin
// with 64 zero bits.
bool holds_ipv4(std::string_view address) noexcept {
    return address.substr(0, 8) == std::string_view("\0\0\0\0\0\0\0\0", 8);
}

// RFC 5952 section 4: no leading zeros, "::" for the longest run of zero groups, the first of
// several, and not for one alone.
char* put_ipv6(char* to, std::string_view address) noexcept {
    std::array<uint16_t, 8> groups;
    for (size_t i = 0; i < groups.size(); ++i) {
        groups[i] = static_cast<uint16_t>(static_cast<uint8_t>(address[2 * i]) << 8 |
                                          static_cast<uint8_t>(address[2 * i + 1]));
    }
    size_t zeros_at = groups.size();
    size_t zeros = 1;
    for (size_t i = 0; i < groups.size();) {
        size_t end = i;
        while (end < groups.size() && groups[end] == 0) {
            ++end;
        }
        if (end - i > zeros) {
            zeros_at = i;
            zeros = end - i;
        }
        i = end + 1;
    }
    for (size_t i = 0; i < groups.size();) {
        if (i == zeros_at) {
            *to++ = ':';
            *to++ = ':';
            i += zeros;
            continue;
        }
        if (i > 0 && i != zeros_at + zeros) {
            *to++ = ':';
        }
        to = std::to_chars(to, to + 4, groups[i], 16).ptr;
        ++i;
    }
    return to;
}

}  // namespace

std::string wire_text(std::string_view octets) {
    if (is_utf8(octets)) {
        return std::string(octets);
    }
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
    constexpr uint64_t kHighBits = 0x8080808080808080;
    while (!octets.empty()) {
        uint64_t word;
        if (octets.size() >= sizeof(word)) {
            std::memcpy(&word, octets.data(), sizeof(word));
            if ((word & kHighBits) == 0) {
                octets.remove_prefix(sizeof(word));
                continue;
            }
        }
        const size_t length = sequence_length(octets);
        if (length == 0) {
            return false;
        }
        octets.remove_prefix(length);
    }
    return true;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

std::string address_text(std::string_view address) {
    if (address.size() != 4 && address.size() != 16) {
        return {};
    }
    std::array<char, INET6_ADDRSTRLEN> text;
    if (address.size() == 4) {
        return {text.data(), put_ipv4(text.data(), address)};
    }
    if (holds_ipv4(address)) {
        return inet_ntop(AF_INET6, address.data(), text.data(), text.size());
    }
    return {text.data(), put_ipv6(text.data(), address)};
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

std::string mac_text(std::string_view octets) {
    if (octets.empty()) {
        return {};
    }
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text(octets.size() * 3 - 1, ':');
    for (size_t at = 0; at < octets.size(); ++at) {
        const auto octet = static_cast<uint8_t>(octets[at]);
        text[3 * at] = kDigits[octet >> 4];
        text[3 * at + 1] = kDigits[octet & 15];
    }
    return text;
}

std::string mac_octets(std::string_view text) {
    if (text.size() % 3 != 2) {
        return {};
    }
    std::string octets((text.size() + 1) / 3, '\0');
    for (size_t at = 0; at < octets.size(); ++at) {
        const char* digits = text.data() + 3 * at;
        uint8_t octet = 0;
        if (std::from_chars(digits, digits + 2, octet, 16).ptr != digits + 2) {
            return {};
        }
        octets[at] = static_cast<char>(octet);
    }
    return octets;
}

}  // namespace curlew::collector

#include "signatures/example_text.h"

#include <cctype>
#include <cstdint>

#include "signatures/signature_set.h"

namespace curlew::signatures {
namespace {

const std::string kTooLong =
    "the example is longer than " + std::to_string(kMaximumExampleOctets) + " octets";

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

// The octet of the two digits at the front of `text`, or -1.
int octet_of(std::string_view text) noexcept {
    if (text.size() < 2 || digit_of(text[0]) < 0 || digit_of(text[1]) < 0) {
        return -1;
    }
    return digit_of(text[0]) * 16 + digit_of(text[1]);
}

bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Takes the decimal number at the front of `text`; 0 when there is none or it is out of bounds.
size_t take_count(std::string_view& text) noexcept {
    size_t count = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
        count = count * 10 + static_cast<size_t>(text[0] - '0');
        text.remove_prefix(1);
        if (count > kMaximumExampleOctets) {
            return 0;
        }
    }
    return count;
}

std::string decode_hex(std::string_view text, std::string& octets) {
    while (!text.empty()) {
        if (is_blank(text[0])) {
            text.remove_prefix(1);
            continue;
        }
        const int octet = octet_of(text);
        if (octet < 0) {
            return "after 'hex:' stand pairs of hex digits, blanks and counts such as '00*192'";
        }
        text.remove_prefix(2);
        size_t count = 1;
        if (!text.empty() && text[0] == '*') {
            text.remove_prefix(1);
            count = take_count(text);
            if (count == 0) {
                return "after '*' stands a count from 1 to " +
                       std::to_string(kMaximumExampleOctets);
            }
        }
        if (octets.size() + count > kMaximumExampleOctets) {
            return kTooLong;
        }
        octets.append(count, static_cast<char>(octet));
    }
    return {};
}

std::string decode_escaped(std::string_view text, std::string& octets) {
    constexpr std::string_view kLetters = "rnt\\";
    constexpr std::string_view kMeanings = "\r\n\t\\";
    while (!text.empty()) {
        if (octets.size() == kMaximumExampleOctets) {
            return kTooLong;
        }
        if (text[0] != '\\') {
            octets += text[0];
            text.remove_prefix(1);
            continue;
        }
        text.remove_prefix(1);
        const size_t letter = text.empty() ? std::string_view::npos : kLetters.find(text[0]);
        if (letter != std::string_view::npos) {
            octets += kMeanings[letter];
            text.remove_prefix(1);
        } else if (!text.empty() && text[0] == 'x' && octet_of(text.substr(1)) >= 0) {
            octets += static_cast<char>(octet_of(text.substr(1)));
            text.remove_prefix(3);
        } else {
            return "after a backslash stands 'r', 'n', 't', a backslash or 'x' and two hex digits";
        }
    }
    return {};
}

}  // namespace

std::string decode_example(std::string_view text, std::string& octets) {
    constexpr std::string_view kHex = "hex:";
    octets.clear();
    if (text.starts_with(kHex)) {
        return decode_hex(text.substr(kHex.size()), octets);
    }
    return decode_escaped(text, octets);
}

}  // namespace curlew::signatures

#pragma once

#include <string>
#include <string_view>

namespace curlew::collector {

// "01 ff 3c", blanks optional.
inline std::string hex_octets(std::string_view text) {
    const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
    std::string digits;
    for (const char letter : text) {
        if (letter != ' ') {
            digits.push_back(letter);
        }
    }
    std::string octets;
    for (size_t i = 0; i + 1 < digits.size(); i += 2) {
        octets.push_back(static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1])));
    }
    return octets;
}

}  // namespace curlew::collector

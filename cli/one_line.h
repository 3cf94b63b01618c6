#pragma once

#include <string>
#include <string_view>

namespace curlew::cli {

// The text with control characters as '?', for a terminal: file names may hold any octet, and a
// sentence is one line.
inline std::string one_line(std::string_view text) {
    std::string line(text);
    for (char& octet : line) {
        const auto value = static_cast<unsigned char>(octet);
        if (value < 0x20 || value == 0x7f) {
            octet = '?';
        }
    }
    return line;
}

}  // namespace curlew::cli

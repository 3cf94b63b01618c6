#pragma once

#include <string>
#include <string_view>

namespace curlew::cli {

// The text with control characters as '?', those of Unicode (U+0080 to U+009F in UTF-8) too, for a
// terminal: names of files and names in packets may hold any octet, and a sentence is one line.
inline std::string one_line(std::string_view text) {
    std::string line(text);
    for (size_t i = 0; i < line.size(); ++i) {
        const auto value = static_cast<unsigned char>(line[i]);
        if (value < 0x20 || value == 0x7f) {
            line[i] = '?';
        } else if (value == 0xc2 && i + 1 < line.size() && (line[i + 1] & 0xe0) == 0x80) {
            line[i] = line[i + 1] = '?';
        }
    }
    return line;
}

}  // namespace curlew::cli

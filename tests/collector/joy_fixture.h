#pragma once

#include <cassert>
#include <string>
#include <string_view>

#include "collector/json_line.h"

namespace curlew::collector {

// What `write(json)` writes into an object, as text without its braces.
template <typename Write>
std::string members(Write write) {
    JsonLine json;
    json.start_object();
    write(json);
    json.end_object();
    const std::string line(json.finish());
    return line.substr(1, line.size() - 3);
}

// "01 ff 3c", blanks optional, small letters.
inline std::string octets_from_hex(std::string_view hex) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string octets;
    bool high = true;
    for (const char digit : hex) {
        if (digit == ' ') {
            continue;
        }
        const size_t value = kDigits.find(digit);
        assert(value != std::string_view::npos);
        if (high) {
            octets += static_cast<char>(value << 4);
        } else {
            octets.back() = static_cast<char>(static_cast<unsigned char>(octets.back()) | value);
        }
        high = !high;
    }
    assert(high);
    return octets;
}

}  // namespace curlew::collector

#pragma once

#include <cstdlib>
#include <string_view>

#include "collector/json_line.h"
#include "collector/wire_text.h"

namespace curlew::tests {

// Whatever was read, what is written of it is text in valid UTF-8 without control characters.
// Requires: one object is begun; that it ends as it should JsonLine asserts.
inline void require_text(collector::JsonLine& json) {
    json.end_object();
    std::string_view line = json.finish();
    line.remove_suffix(1);
    for (const char character : line) {
        if (static_cast<unsigned char>(character) < 0x20) {
            std::abort();
        }
    }
    if (!collector::is_utf8(line)) {
        std::abort();
    }
}

}  // namespace curlew::tests

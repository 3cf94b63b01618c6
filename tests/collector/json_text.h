#pragma once

#include <string_view>

namespace curlew::collector {

// Whether `part` is somewhere in what was written.
inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace curlew::collector

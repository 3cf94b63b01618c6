#include "proto/body_limits.h"

namespace curlew::proto {

std::string bounded(std::string_view text, size_t most) {
    constexpr std::string_view kCut = "...";
    return text.size() <= most ? std::string(text)
                               : std::string(text.substr(0, most - kCut.size())).append(kCut);
}

}  // namespace curlew::proto

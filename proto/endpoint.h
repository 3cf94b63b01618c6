#pragma once

#include <string_view>

namespace curlew::proto {

// What a configuration may name as a channel's endpoint: "tcp://ADDRESS:PORT" or "ipc://PATH", a
// path of at most 107 octets (unix(7)). Of the address only the channel knows whether it is one.
inline bool is_endpoint(std::string_view text) noexcept {
    constexpr std::string_view kScheme = "tcp://";
    constexpr size_t kLongestPath = 107;
    const bool is_ipc = text.starts_with("ipc://");
    return (text.starts_with(kScheme) || is_ipc) && text.size() > kScheme.size() &&
           (!is_ipc || text.size() - kScheme.size() <= kLongestPath);
}

}  // namespace curlew::proto

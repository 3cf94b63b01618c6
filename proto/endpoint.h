#pragma once

#include <string_view>

namespace curlew::proto {

// What a configuration may name as a channel's endpoint: "tcp://ADDRESS:PORT" or "ipc://PATH". Of
// the address only the channel knows whether it is one.
inline bool is_endpoint(std::string_view text) noexcept {
    constexpr std::string_view kScheme = "tcp://";
    return (text.starts_with(kScheme) || text.starts_with("ipc://")) &&
           text.size() > kScheme.size();
}

}  // namespace curlew::proto

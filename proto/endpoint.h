#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace curlew::proto {

// In words.
inline constexpr std::string_view kEndpointForm =
    "tcp://ADDRESS:PORT or ipc://PATH, of 107 octets at most";

// What a configuration may name as a channel's endpoint: "tcp://ADDRESS:PORT", a port from 1 to
// 65535, or "ipc://PATH", a path of at most 107 octets (unix(7)). Of the address only the channel
// knows whether it is one.
inline bool is_endpoint(std::string_view text) noexcept {
    constexpr size_t kSchemeOctets = 6;
    constexpr size_t kLongestPath = 107;
    const std::string_view rest = text.substr(text.size() < kSchemeOctets ? 0 : kSchemeOctets);
    if (text.starts_with("ipc://")) {
        return !rest.empty() && rest.size() <= kLongestPath;
    }
    const size_t colon = rest.rfind(':');
    if (!text.starts_with("tcp://") || colon == std::string_view::npos || colon == 0) {
        return false;
    }
    const char* const begin = rest.data() + colon + 1;
    const char* const end = rest.data() + rest.size();
    uint16_t port = 0;
    const auto [stop, error] = std::from_chars(begin, end, port);
    return error == std::errc{} && stop == end && port != 0;
}

}  // namespace curlew::proto

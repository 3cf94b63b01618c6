#include <algorithm>
#include <string_view>

#include "probe/protocols/names.h"

namespace curlew::probe {

//  version 1   "PROXY" SP protocol SP addresses and ports CRLF, at most 107 octets
//  version 2   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a | version and command 1 | family 1 | length 2
//              | addresses and more, of that length
std::span<const uint8_t> behind_proxy_header(std::span<const uint8_t> payload) noexcept {
    constexpr std::string_view kWords = "PROXY ";
    constexpr size_t kLongestLine = 107;
    constexpr std::string_view kBinary("\r\n\r\n\0\r\nQUIT\n", 12);
    constexpr size_t kLengthAt = kBinary.size() + 2;
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    size_t header = 0;
    if (text.starts_with(kWords)) {
        const size_t end = text.substr(0, kLongestLine).find('\n');
        header = end == std::string_view::npos ? 0 : end + 1;
    } else if (text.starts_with(kBinary) && payload.size() >= kLengthAt + 2) {
        header =
            kLengthAt + 2 + static_cast<size_t>(payload[kLengthAt] << 8 | payload[kLengthAt + 1]);
    }
    return payload.subspan(std::min(header, payload.size()));
}

}  // namespace curlew::probe

#include "collector/listen_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace curlew::collector {
namespace {

std::optional<uint16_t> parse_port(std::string_view text) {
    uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || at != end || port == 0) {
        return std::nullopt;
    }
    return port;
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(const std::string& text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos) {
        return std::nullopt;
    }
    const auto port = parse_port(std::string_view(text).substr(colon + 1));
    std::string host = text.substr(0, colon);
    if (!port) {
        return std::nullopt;
    }
    ListenAddress result;
    result.text = text;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(*port);
        if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) {
            return std::nullopt;
        }
        std::memcpy(&result.address, &six, sizeof six);
        result.octets = sizeof six;
        return result;
    }
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(*port);
    if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) {
        return std::nullopt;
    }
    std::memcpy(&result.address, &four, sizeof four);
    result.octets = sizeof four;
    return result;
}

}  // namespace curlew::collector

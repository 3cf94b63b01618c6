#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>

// Where to listen: a numeric address with its port, "127.0.0.1:9464" or "[::1]:9464".

namespace curlew::collector {

struct ListenAddress {
    sockaddr_storage address{};
    socklen_t octets = 0;
    std::string text;  // as configured
};

// Nothing when the text is no such address. No name is looked up.
std::optional<ListenAddress> parse_listen_address(const std::string& text);

}  // namespace curlew::collector

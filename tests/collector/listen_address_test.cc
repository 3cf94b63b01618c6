#include "collector/listen_address.h"

#include <netinet/in.h>

#include <cstring>

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(ListenAddress){};

TEST(ListenAddress, is_an_address_with_a_port) {
    const auto four = parse_listen_address("127.0.0.1:9464");
    sockaddr_in in{};
    CHECK_EQUAL(sizeof in, four->octets);
    std::memcpy(&in, &four->address, sizeof in);
    CHECK_EQUAL(AF_INET, in.sin_family);
    CHECK_EQUAL(0x7f000001u, ntohl(in.sin_addr.s_addr));
    CHECK_EQUAL(9464, ntohs(in.sin_port));
    STRCMP_EQUAL("127.0.0.1:9464", four->text.c_str());
    const auto six = parse_listen_address("[::1]:65535");
    sockaddr_in6 in6{};
    CHECK_EQUAL(sizeof in6, six->octets);
    std::memcpy(&in6, &six->address, sizeof in6);
    CHECK_EQUAL(AF_INET6, in6.sin6_family);
    CHECK(std::memcmp(&in6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0);
    CHECK_EQUAL(65535, ntohs(in6.sin6_port));
}

TEST(ListenAddress, nothing_else_is_one) {
    for (const char* text : {"",
                             "9464",
                             ":9464",
                             "127.0.0.1",
                             "127.0.0.1:",
                             "127.0.0.1:0",
                             "127.0.0.1:65536",
                             "127.0.0.1:94x",
                             "127.0.0.1: 94",
                             "127.0.0.1:-1",
                             "127.0.0:9464",
                             "localhost:9464",
                             "*:9464",
                             "::1:9464",
                             "[127.0.0.1]:9464",
                             "[]:9464",
                             "[::1]",
                             "[::1]x:9464",
                             "http://127.0.0.1:9464"}) {
        CHECK_TEXT(!parse_listen_address(text).has_value(), text);
    }
}

}  // namespace curlew::collector

#include "proto/endpoint.h"

#include <string>

#include "tests/support/cpputest.h"

using curlew::proto::is_endpoint;

TEST_GROUP(Endpoint){};

TEST(Endpoint, of_tcp_has_an_address_and_a_port) {
    for (const char* text :
         {"tcp://*:5700", "tcp://127.0.0.1:1", "tcp://[::1]:65535", "tcp://c:80"}) {
        CHECK(is_endpoint(text));
    }
    for (const char* text : {"tcp://",
                             "tcp://127.0.0.1",
                             "tcp://127.0.0.1:",
                             "tcp://:5700",
                             "tcp://127.0.0.1:0",
                             "tcp://127.0.0.1:65536",
                             "tcp://127.0.0.1:99999",
                             "tcp://127.0.0.1:-5",
                             "tcp://127.0.0.1:+5",
                             "tcp://127.0.0.1: 5",
                             "tcp://127.0.0.1:5x",
                             "tcp://127.0.0.1:*",
                             "tcp:/127.0.0.1:5",
                             "udp://127.0.0.1:5",
                             ""}) {
        CHECK_FALSE(is_endpoint(text));
    }
}

TEST(Endpoint, of_ipc_has_a_path_that_a_socket_can_have) {
    CHECK(is_endpoint("ipc:///run/c"));
    CHECK(is_endpoint("ipc://" + std::string(107, 'a')));
    CHECK_FALSE(is_endpoint("ipc://" + std::string(108, 'a')));
    CHECK_FALSE(is_endpoint("ipc://"));
}

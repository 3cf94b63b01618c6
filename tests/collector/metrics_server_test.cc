#include "collector/metrics_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "signatures/config_file.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(MetricsServer) {
    ListenAddress address = free_address();

    // One that nobody listens at.
    static ListenAddress free_address() {
        ListenAddress loopback = *parse_listen_address("127.0.0.1:1");
        auto* const in = reinterpret_cast<sockaddr_in*>(&loopback.address);
        in->sin_port = 0;
        const FileDescriptor taken(::socket(AF_INET, SOCK_STREAM, 0));
        socklen_t octets = loopback.octets;
        auto* const any = reinterpret_cast<sockaddr*>(&loopback.address);
        CHECK_EQUAL(0, ::bind(taken.get(), any, octets));
        CHECK_EQUAL(0, ::getsockname(taken.get(), any, &octets));
        return loopback;
    }

    FileDescriptor connected() const {
        FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
        CHECK_EQUAL(
            0,
            ::connect(
                socket.get(), reinterpret_cast<const sockaddr*>(&address.address), address.octets));
        return socket;
    }

    static void say(const FileDescriptor& socket, const std::string& octets) {
        ::send(socket.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    }

    // All that comes until the other side closes.
    static std::string heard(const FileDescriptor& socket) {
        std::string all;
        std::array<char, 4096> octets;
        for (ssize_t taken = 1; taken > 0;) {
            taken = ::recv(socket.get(), octets.data(), octets.size(), 0);
            all.append(octets.data(), static_cast<size_t>(taken > 0 ? taken : 0));
        }
        return all;
    }

    std::string ask(const std::string& path) const {
        const FileDescriptor socket = connected();
        say(socket, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
        return heard(socket);
    }
};

TEST(MetricsServer, has_no_numbers_before_the_first_status) {
    MetricsServer server(address, "0.1.0");
    STRCMP_CONTAINS("HTTP/1.1 503 ", ask("/metrics").c_str());
    STRCMP_CONTAINS("HTTP/1.1 503 ", ask("/healthz").c_str());
}

TEST(MetricsServer, tells_the_newest_status) {
    MetricsServer server(address, "0.1.0");
    LiveStatus status;
    for (const uint64_t sealed : {uint64_t{3}, uint64_t{4}}) {
        status.datasets_sealed = sealed;
        server.publish(status);
        const std::string line =
            "\ncurlew_collector_datasets_sealed_total " + std::to_string(sealed) + "\n";
        STRCMP_CONTAINS(line.c_str(), ask("/metrics").c_str());
        STRCMP_CONTAINS(line.c_str(), ask("/metrics").c_str());
    }
    STRCMP_CONTAINS("HTTP/1.1 200 OK", ask("/healthz").c_str());
}

TEST(MetricsServer, a_status_may_come_while_one_is_told) {
    MetricsServer server(address, "0.1.0");
    std::thread collector([&server] {
        LiveStatus status;
        for (uint64_t i = 0; i <= 2000; ++i) {
            status.datasets_sealed = i;
            server.publish(status);
        }
    });
    for (int i = 0; i < 50; ++i) {
        ask("/metrics");
    }
    collector.join();
    STRCMP_CONTAINS("\ncurlew_collector_datasets_sealed_total 2000\n", ask("/metrics").c_str());
}

TEST(MetricsServer, is_not_healthy_while_records_are_not_taken) {
    MetricsServer server(address, "0.1.0");
    LiveStatus status;
    status.intake_trouble = "records are not taken: cannot write /a: no space";
    server.publish(status);
    const std::string answer = ask("/healthz");
    STRCMP_CONTAINS("HTTP/1.1 503 ", answer.c_str());
    CHECK_TEXT(answer.ends_with("\r\n\r\nrecords are not taken\n"), answer.c_str());
}

TEST(MetricsServer, a_request_may_come_in_parts) {
    MetricsServer server(address, "0.1.0");
    server.publish({});
    const FileDescriptor socket = connected();
    say(socket, "GET /heal");
    STRCMP_CONTAINS("HTTP/1.1 200 OK", ask("/healthz").c_str());
    say(socket, "thz HTTP/1.1\r\n\r");
    STRCMP_CONTAINS("HTTP/1.1 200 OK", ask("/healthz").c_str());
    say(socket, "\n");
    STRCMP_CONTAINS("HTTP/1.1 200 OK", heard(socket).c_str());
}

TEST(MetricsServer, a_request_without_an_end_is_cut) {
    MetricsServer server(address, "0.1.0");
    server.publish({});
    const FileDescriptor socket = connected();
    say(socket, "GET /metrics HTTP/1.1\r\nx: " + std::string(10'000, 'y'));
    STRCMP_EQUAL("", heard(socket).c_str());
}

TEST(MetricsServer, the_oldest_connection_gives_way) {
    MetricsServer server(address, "0.1.0");
    server.publish({});
    std::vector<FileDescriptor> silent;
    for (size_t i = 0; i < MetricsServer::kMaximumConnections; ++i) {
        silent.push_back(connected());
    }
    const auto before = std::chrono::steady_clock::now();
    STRCMP_CONTAINS("HTTP/1.1 200 OK", ask("/healthz").c_str());
    STRCMP_EQUAL("", heard(silent.front()).c_str());
    CHECK(std::chrono::steady_clock::now() - before < MetricsServer::kPatience);
    say(silent.back(), "GET /healthz HTTP/1.1\r\n\r\n");
    STRCMP_CONTAINS("HTTP/1.1 200 OK", heard(silent.back()).c_str());
}

TEST(MetricsServer, an_address_that_is_taken_is_a_wrong_configuration) {
    MetricsServer server(address, "0.1.0");
    CHECK_THROWS(std::runtime_error, MetricsServer(address, "0.1.0"));
}

}  // namespace curlew::collector

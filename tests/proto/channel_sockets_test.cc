#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <list>
#include <stdexcept>
#include <string>

#include "proto/channel.h"
#include "proto/file_handle.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// The files that a collector listens at.

using namespace std::chrono_literals;
using namespace curlew::proto;

namespace {

constexpr auto kPatience = 10s;  // reached only by a test that fails

int unix_socket() {
    return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
}

void connect_to(const FileHandle& socket, const std::string& path) {
    const sockaddr_un address = address_of(path);
    CHECK_EQUAL(
        0, ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
}

// As if no descriptor were to be had, while it lives.
class NoDescriptors {
  public:
    NoDescriptors() {
        CHECK_EQUAL(0, ::getrlimit(RLIMIT_NOFILE, &before_));
        const rlimit none{3, before_.rlim_max};
        CHECK_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &none));
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

  private:
    rlimit before_{};
};

bool takes_a_hello(ChannelContext& context, ChannelReceiver& receiver) {
    SenderConfig config;
    config.endpoint = receiver.last_endpoint();
    ChannelSender sender(context, config);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
        sender.turn(1, 2ms);
        if (receiver.receive(2ms)) {
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_GROUP(ChannelSockets) {
    ChannelContext context;
};

TEST(ChannelSockets, nobody_takes_over_the_socket_of_a_living_collector) {
    curlew::tests::TemporaryFolder folder;
    const std::string endpoint = "ipc://" + (folder.path() / "socket").string();
    ChannelReceiver receiver(context, endpoint);
    receiver.bind("inproc://another");
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, endpoint));
}

TEST(ChannelSockets, the_socket_that_a_dead_collector_left_is_taken) {
    curlew::tests::TemporaryFolder folder;
    const std::string path = (folder.path() / "socket").string();
    const sockaddr_un address = address_of(path);
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQUAL(0, bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    CHECK_EQUAL(0, listen(dead, 1));
    close(dead);
    ChannelReceiver receiver(context, "ipc://" + path);
}

TEST(ChannelSockets, no_file_but_a_socket_is_replaced) {
    curlew::tests::TemporaryFolder folder;
    const std::filesystem::path path = folder.path() / "precious";
    curlew::tests::put_content(path, "mine");
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, "ipc://" + path.string()));
    STRCMP_EQUAL("mine", curlew::tests::content_of(path).c_str());
}

TEST(ChannelSockets, a_socket_that_is_gone_or_anothers_is_lost) {
    curlew::tests::TemporaryFolder folder;
    const std::filesystem::path path = folder.path() / "socket";
    const std::string endpoint = "ipc://" + path.string();
    ChannelReceiver receiver(context, endpoint);
    receiver.bind("inproc://lost-socket");
    STRCMP_EQUAL("", receiver.lost_endpoint().c_str());
    std::filesystem::remove(path);
    STRCMP_EQUAL(endpoint.c_str(), receiver.lost_endpoint().c_str());
    curlew::tests::put_content(path, "");
    STRCMP_EQUAL(endpoint.c_str(), receiver.lost_endpoint().c_str());
}

TEST(ChannelSockets, silent_connections_are_bounded_as_those_over_tcp) {
    curlew::tests::TemporaryFolder folder;
    const std::string path = (folder.path() / "socket").string();
    ReceiverConfig config;
    config.maximum_connections = 4;
    ChannelReceiver receiver(context, "ipc://" + path, config);
    std::list<FileHandle> crowd;
    for (int i = 0; i < 10; ++i) {
        connect_to(crowd.emplace_back(unix_socket()), path);
    }
    const auto over_bound = [&] { return receiver.counters().connections.connections_over_bound; };
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (over_bound() < 6 && std::chrono::steady_clock::now() < deadline) {
        receiver.receive(5ms);
    }
    UNSIGNED_LONGS_EQUAL(6, over_bound());
    crowd.clear();
    CHECK(takes_a_hello(context, receiver));
}

TEST(ChannelSockets, the_bound_is_a_part_of_the_descriptors_there_are) {
    curlew::tests::TemporaryFolder folder;
    const std::string path = (folder.path() / "socket").string();
    rlimit before{};
    CHECK_EQUAL(0, ::getrlimit(RLIMIT_NOFILE, &before));
    const rlimit few{64, before.rlim_max};
    CHECK_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &few));
    ChannelReceiver receiver(context, "ipc://" + path);
    CHECK_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &before));
    std::list<FileHandle> crowd;
    for (int i = 0; i < 20; ++i) {
        connect_to(crowd.emplace_back(unix_socket()), path);
    }
    const auto over_bound = [&] { return receiver.counters().connections.connections_over_bound; };
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (over_bound() < 4 && std::chrono::steady_clock::now() < deadline) {
        receiver.receive(5ms);
    }
    UNSIGNED_LONGS_EQUAL(4, over_bound());
}

TEST(ChannelSockets, without_descriptors_who_comes_waits_and_nobody_dies) {
    curlew::tests::TemporaryFolder folder;
    const std::string path = (folder.path() / "socket").string();
    ChannelReceiver receiver(context, "ipc://" + path);
    const FileHandle silent(unix_socket());
    {
        const NoDescriptors none;
        connect_to(silent, path);
        // ZeroMQ tries to take it, again and again.
        CHECK_FALSE(receiver.receive(50ms).has_value());
    }
    CHECK(takes_a_hello(context, receiver));
}

TEST(ChannelSockets, only_ipc_is_told_of_another_want) {
    curlew::tests::TemporaryFolder folder;
    const sockaddr_un unix_address = address_of((folder.path() / "socket").string());
    const FileHandle ipc(unix_socket());
    CHECK_EQUAL(
        0,
        ::bind(ipc.get(), reinterpret_cast<const sockaddr*>(&unix_address), sizeof(unix_address)));
    const FileHandle tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    for (const FileHandle* listener : {&ipc, &tcp}) {
        CHECK_EQUAL(0, ::listen(listener->get(), 1));
        CHECK_EQUAL(0, ::fcntl(listener->get(), F_SETFL, O_NONBLOCK));
        CHECK_EQUAL(-1, ::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
        CHECK_EQUAL(EAGAIN, errno);
    }
    const NoDescriptors none;
    CHECK_EQUAL(-1, ::accept4(ipc.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK_EQUAL(ENFILE, errno);
    CHECK_EQUAL(-1, ::accept4(tcp.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK_EQUAL(EMFILE, errno);
}

TEST(ChannelSockets, with_too_few_descriptors_there_is_no_context) {
    const NoDescriptors none;
    CHECK_THROWS(std::runtime_error, ChannelContext());
}

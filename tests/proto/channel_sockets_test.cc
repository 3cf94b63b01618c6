#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "proto/channel.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// The files that a collector listens at.

using curlew::proto::ChannelContext;
using curlew::proto::ChannelReceiver;

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
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
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

#include "proto/doorkeeper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "proto/channel.h"
#include "proto/file_handle.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// The channel over tcp: who comes in, and what becomes of those who do not. All of it on the
// loopback interface, on ports that the system chooses.

namespace {

using namespace std::chrono_literals;
using namespace curlew::proto;

constexpr auto kLongWait = 10s;     // reached only by a test that fails
constexpr auto kShortWait = 100ms;  // for what must not happen
const std::string kAnyPort = "tcp://127.0.0.1:*";

struct Door {
    explicit Door(const ReceiverConfig& config) : receiver(context, kAnyPort, config) {}
    std::string endpoint() const { return receiver.last_endpoint(); }

    // Takes what comes until the condition holds.
    template <typename Condition>
    bool receive_until(Condition&& holds) {
        const auto deadline = std::chrono::steady_clock::now() + kLongWait;
        while (!holds() && std::chrono::steady_clock::now() < deadline) {
            receiver.receive(5ms);
        }
        return holds();
    }

    ChannelContext context;
    ChannelReceiver receiver;
};

std::string batch(const std::vector<uint8_t>& body) {
    std::string frame;
    append_frame({.kind = FrameKind::batch,
                  .probe_id = 7,
                  .epoch = 8,
                  .first_sequence = 1,
                  .record_count = 1},
                 body,
                 frame);
    return frame;
}

// A hello comes out at the other end, or none.
std::optional<ReceivedFrame> hello_of(ChannelSender& sender,
                                      ChannelReceiver& receiver,
                                      std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::optional<ReceivedFrame> hello;
    while (!hello && std::chrono::steady_clock::now() < deadline) {
        sender.turn(1, 2ms);
        hello = receiver.receive(2ms);
    }
    return hello;
}

bool is_refused(ChannelSender& sender) {
    const auto deadline = std::chrono::steady_clock::now() + kLongWait;
    while (sender.turn(1, 5ms) != SenderState::refused) {
        if (std::chrono::steady_clock::now() >= deadline) {
            return false;
        }
    }
    return true;
}

int silent_connection(const std::string& endpoint) {
    const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port =
        htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQUAL(
        0, ::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    return connection;
}

void say(int connection, const std::string& octets) {
    CHECK_EQUAL(static_cast<ssize_t>(octets.size()),
                ::send(connection, octets.data(), octets.size(), MSG_NOSIGNAL));
}

// ZMTP's greeting (RFC 23) of version 3 without keys.
std::string greeting() {
    std::string octets = std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
    octets.resize(64, '\0');
    return octets;
}

}  // namespace

TEST_GROUP(Doorkeeper) {
    const KeyPair collector = new_keys();
    const KeyPair attic = new_keys();
    const KeyPair stranger = new_keys();
    ChannelContext outside;

    ReceiverConfig door_for_attic() const {
        ReceiverConfig config;
        config.keys = collector;
        config.allowed = {{attic.public_key, {"attic", 7}}};
        return config;
    }
    SenderConfig probe(const Door& door, const std::optional<SenderKeys>& keys) const {
        SenderConfig config;
        config.endpoint = door.endpoint();
        config.probe_id = 7;
        config.epoch = 8;
        config.keys = keys;
        config.refused_pause = 50ms;
        config.insecure = true;
        return config;
    }
};

TEST(Doorkeeper, lets_a_listed_key_in_and_says_whose_it_is) {
    Door door(door_for_attic());
    ChannelSender sender(outside, probe(door, SenderKeys{attic, collector.public_key}));
    const auto hello = hello_of(sender, door.receiver, kLongWait);
    CHECK(hello.has_value());
    CHECK(hello->owner.has_value());
    STRCMP_EQUAL("attic", hello->owner->name.c_str());
    CHECK_EQUAL(7u, hello->owner->probe_id);
    CHECK(door.receiver.welcome(*hello, 0));
    while (sender.turn(1, 5ms) != SenderState::welcomed) {
    }
    CHECK_EQUAL(0u, door.receiver.counters().connections.keys_unknown);
    CHECK_EQUAL(0u, door.receiver.counters().connections.handshakes_failed);
}

TEST(Doorkeeper, largest_frame_fits_through_encrypted) {
    Door door(door_for_attic());
    ChannelSender sender(outside, probe(door, SenderKeys{attic, collector.public_key}));
    const auto hello = hello_of(sender, door.receiver, kLongWait);
    CHECK(hello.has_value());
    CHECK(door.receiver.welcome(*hello, 0));
    while (sender.turn(1, 5ms) != SenderState::welcomed) {
    }
    const std::string frame = batch(std::vector<uint8_t>(kMaximumFrameBodyOctets, 'x'));
    CHECK(sender.send(std::make_shared<const std::string>(frame), 1));
    const auto received = door.receiver.receive(kLongWait);
    CHECK(received.has_value());
    CHECK(frame == received->octets);
}

TEST(Doorkeeper, counts_a_key_that_is_not_listed_and_the_probe_is_told) {
    Door door(door_for_attic());
    ChannelSender sender(outside, probe(door, SenderKeys{stranger, collector.public_key}));
    CHECK(is_refused(sender));
    STRCMP_EQUAL("this probe's key is not one of those that it lets in", sender.refusal().c_str());
    CHECK_FALSE(hello_of(sender, door.receiver, kShortWait).has_value());
    CHECK(door.receiver.counters().connections.keys_unknown > 0);
    CHECK_EQUAL(0u, door.receiver.counters().frames_received);
}

TEST(Doorkeeper, counts_a_peer_without_keys) {
    Door door(door_for_attic());
    ChannelSender sender(outside, probe(door, std::nullopt));
    CHECK(is_refused(sender));
    STRCMP_EQUAL("no connection without keys", sender.refusal().c_str());
    CHECK_FALSE(hello_of(sender, door.receiver, kShortWait).has_value());
    CHECK(door.receive_until(
        [&] { return door.receiver.counters().connections.handshakes_failed > 0; }));
    CHECK_EQUAL(0u, door.receiver.counters().connections.keys_unknown);
    CHECK_EQUAL(0u, door.receiver.counters().frames_received);
}

TEST(Doorkeeper, counts_a_peer_that_takes_the_collector_for_another) {
    Door door(door_for_attic());
    ChannelSender sender(outside, probe(door, SenderKeys{attic, stranger.public_key}));
    CHECK(is_refused(sender));
    STRCMP_EQUAL(
        "no keys could be exchanged: it has another public key, or none, or is too far away",
        sender.refusal().c_str());
    CHECK_FALSE(hello_of(sender, door.receiver, kShortWait).has_value());
    CHECK(door.receive_until(
        [&] { return door.receiver.counters().connections.handshakes_failed > 0; }));
    CHECK_EQUAL(0u, door.receiver.counters().frames_received);
}

TEST(Doorkeeper, probe_gives_nothing_to_a_collector_without_keys) {
    ReceiverConfig config;
    config.insecure = true;
    Door door(config);
    ChannelSender sender(outside, probe(door, SenderKeys{attic, collector.public_key}));
    CHECK(is_refused(sender));
    CHECK_FALSE(hello_of(sender, door.receiver, kShortWait).has_value());
}

TEST(Doorkeeper, key_listed_later_comes_in_and_one_struck_off_is_heard_no_more) {
    Door door(door_for_attic());
    ChannelSender sender(outside, probe(door, SenderKeys{stranger, collector.public_key}));
    CHECK(is_refused(sender));
    door.receiver.allow({{stranger.public_key, {"cellar", 7}}});
    const auto hello = hello_of(sender, door.receiver, kLongWait);
    CHECK(hello.has_value());
    STRCMP_EQUAL("cellar", hello->owner->name.c_str());
    CHECK(door.receiver.welcome(*hello, 0));
    while (sender.turn(1, 5ms) != SenderState::welcomed) {
    }
    door.receiver.allow({});
    CHECK(sender.send(std::make_shared<const std::string>(batch({})), 1));
    CHECK(door.receive_until([&] { return door.receiver.counters().frames_of_unknown_keys == 1; }));
    CHECK_EQUAL(1u, door.receiver.counters().frames_received);
}

TEST(Doorkeeper, other_endpoints_stay_without_keys) {
    Door door(door_for_attic());
    const std::string tcp = door.endpoint();
    door.receiver.bind("inproc://beside");
    SenderConfig config = probe(door, std::nullopt);
    config.endpoint = "inproc://beside";
    ChannelSender inside(door.context, config);
    const auto hello = hello_of(inside, door.receiver, kLongWait);
    CHECK(hello.has_value());
    CHECK_FALSE(hello->owner.has_value());
    config.endpoint = tcp;
    config.keys = SenderKeys{attic, collector.public_key};
    ChannelSender sender(outside, config);
    const auto other = hello_of(sender, door.receiver, kLongWait);
    CHECK(other.has_value());
}

TEST(Doorkeeper, tcp_without_keys_has_to_be_asked_for) {
    ChannelContext context;
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, kAnyPort));
    SenderConfig config;
    config.endpoint = "tcp://127.0.0.1:1";
    CHECK_THROWS(std::runtime_error, ChannelSender(context, config));
    ReceiverConfig insecure;
    insecure.insecure = true;
    Door door(insecure);
    ChannelSender sender(outside, probe(door, std::nullopt));
    const auto hello = hello_of(sender, door.receiver, kLongWait);
    CHECK(hello.has_value());
    CHECK_FALSE(hello->owner.has_value());
}

TEST(Doorkeeper, closes_on_silence_and_on_older_protocols) {
    Door door(door_for_attic());
    const FileHandle silent(silent_connection(door.endpoint()));
    const FileHandle first(silent_connection(door.endpoint()));
    const FileHandle second(silent_connection(door.endpoint()));
    const FileHandle third(silent_connection(door.endpoint()));
    // ZMTP 1 and 2 (RFC 13, 15) know no keys: a message at once.
    say(first.get(), std::string("\x01\0\x05\0body", 8));
    say(second.get(), std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0\0\x04tome", 20));
    say(third.get(), greeting());
    for (const FileHandle* one : {&silent, &first, &second, &third}) {
        char octets[256];
        while (::recv(one->get(), octets, sizeof(octets), 0) > 0) {
        }
    }
    door.receive_until([&] { return door.receiver.counters().connections.handshakes_failed >= 4; });
    CHECK_EQUAL(4u, door.receiver.counters().connections.handshakes_failed);
    CHECK_EQUAL(0u, door.receiver.counters().frames_received);
    CHECK_EQUAL(0u, door.receiver.counters().frames_refused);
}

TEST(Doorkeeper, cuts_a_peer_whose_message_never_ends) {
    ReceiverConfig config;
    config.insecure = true;
    Door door(config);
    const FileHandle peer(silent_connection(door.endpoint()));
    // ZMTP 3 without keys, then part after part with the flags "more" and "long".
    std::string ready(
        "\x05READY\x0bSocket-Type\0\0\0\x06"
        "DEALER",
        28);
    ready.insert(0, {'\x04', static_cast<char>(ready.size())});
    say(peer.get(), greeting() + ready);
    const std::string part = std::string("\x03\0\0\0\0\0\x02\0\0", 9) + std::string(131072, 'x');
    const auto is_cut = [&] {
        return door.receiver.counters().connections.connections_without_measure == 1;
    };
    const auto deadline = std::chrono::steady_clock::now() + kLongWait;
    size_t octets = 0;
    size_t sent = 0;  // of the part
    while (!is_cut() && std::chrono::steady_clock::now() < deadline) {
        const ssize_t count =
            ::send(peer.get(), part.data() + sent, part.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        octets += count < 0 ? 0 : static_cast<size_t>(count);
        sent = (sent + (count < 0 ? 0 : static_cast<size_t>(count))) % part.size();
    }
    CHECK(is_cut());
    CHECK(octets > 30'000'000);
    CHECK_FALSE(door.receiver.receive(0ms).has_value());
}

TEST(Doorkeeper, cuts_a_peer_that_sends_on_where_a_probe_waits) {
    Door door(door_for_attic());
    zmq::context_t context;
    zmq::socket_t peer(context, zmq::socket_type::dealer);
    peer.set(zmq::sockopt::linger, 0);
    peer.set(zmq::sockopt::sndtimeo, 10'000);
    peer.set(zmq::sockopt::curve_publickey, attic.public_key);
    peer.set(zmq::sockopt::curve_secretkey, attic.secret_key);
    peer.set(zmq::sockopt::curve_serverkey, collector.public_key);
    peer.connect(door.endpoint());
    const std::string frame = batch(std::vector<uint8_t>(kMaximumFrameBodyOctets, 'x'));
    const auto is_cut = [&] {
        return door.receiver.counters().connections.connections_without_measure > 0;
    };
    // What is taken does not count.
    for (int i = 0; i < 300; ++i) {
        CHECK(peer.send(zmq::buffer(frame), zmq::send_flags::none).has_value());
        CHECK(door.receiver.receive(kLongWait).has_value());
    }
    CHECK_FALSE(is_cut());
    const auto deadline = std::chrono::steady_clock::now() + kLongWait;
    while (!is_cut() && std::chrono::steady_clock::now() < deadline) {
        static_cast<void>(peer.send(zmq::buffer(frame), zmq::send_flags::dontwait));
    }
    CHECK(is_cut());
}

TEST(Doorkeeper, bounds_the_connections_and_lets_in_again_when_some_are_gone) {
    ReceiverConfig config = door_for_attic();
    config.maximum_connections = 4;
    Door door(config);
    std::vector<std::unique_ptr<FileHandle>> crowd;
    for (int i = 0; i < 10; ++i) {
        crowd.push_back(std::make_unique<FileHandle>(silent_connection(door.endpoint())));
    }
    CHECK(door.receive_until(
        [&] { return door.receiver.counters().connections.connections_over_bound >= 6; }));
    ChannelSender sender(outside, probe(door, SenderKeys{attic, collector.public_key}));
    CHECK(hello_of(sender, door.receiver, kLongWait).has_value());
}

TEST(Doorkeeper, a_crowd_at_one_door_keeps_nobody_out_at_another) {
    const curlew::tests::TemporaryFolder folder;
    const std::string path = (folder.path() / "door").string();
    ReceiverConfig config = door_for_attic();
    config.maximum_connections = 4;
    Door door(config);
    const std::string tcp = door.endpoint();
    door.receiver.bind("ipc://" + path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    std::list<FileHandle> crowd;
    for (int i = 0; i < 6; ++i) {
        const FileHandle& one =
            crowd.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        CHECK_EQUAL(
            0, ::connect(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    }
    const auto over_bound = [&] {
        return door.receiver.counters().connections.connections_over_bound;
    };
    CHECK(door.receive_until([&] { return over_bound() >= 2; }));
    SenderConfig attics = probe(door, SenderKeys{attic, collector.public_key});
    attics.endpoint = tcp;
    ChannelSender sender(outside, attics);
    CHECK(hello_of(sender, door.receiver, kLongWait).has_value());
    UNSIGNED_LONGS_EQUAL(2, over_bound());
}

TEST(Doorkeeper, one_goes_and_another_comes_in_the_same_context) {
    ChannelContext context;
    for (int i = 0; i < 3; ++i) {
        ChannelReceiver receiver(context, kAnyPort, door_for_attic());
        SenderConfig config;
        config.endpoint = receiver.last_endpoint();
        config.keys = SenderKeys{attic, collector.public_key};
        ChannelSender sender(outside, config);
        CHECK(hello_of(sender, receiver, kLongWait).has_value());
    }
}

#include "proto/channel.h"

#include <fmt/core.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "tests/support/cpputest.h"

namespace {

using namespace std::chrono_literals;
using curlew::proto::append_frame;
using curlew::proto::ChannelContext;
using curlew::proto::ChannelReceiver;
using curlew::proto::ChannelSender;
using curlew::proto::FrameKind;
using curlew::proto::ReceivedFrame;
using curlew::proto::SenderConfig;

constexpr auto kLong = 10s;    // reached only by a test that fails
constexpr auto kShort = 20ms;  // for what must not happen
const std::string kEndpoint = "inproc://test";

SenderConfig config_with_window(uint32_t frames) {
    return {.endpoint = kEndpoint, .probe_id = 7, .epoch = 8, .window_frames = frames};
}

std::string batch(uint64_t sequence, const std::string& body = "records") {
    const std::vector<uint8_t> octets(body.begin(), body.end());
    std::string frame;
    append_frame({.kind = FrameKind::batch,
                  .probe_id = 7,
                  .epoch = 8,
                  .first_sequence = sequence,
                  .record_count = 1},
                 octets,
                 frame);
    return frame;
}

std::string without_body(FrameKind kind, uint64_t sequence, uint64_t epoch = 8) {
    std::string frame;
    append_frame(
        {.kind = kind, .probe_id = 7, .epoch = epoch, .first_sequence = sequence}, {}, frame);
    return frame;
}

// Both ends in one thread: the hello is queued by a connect that is not welcomed yet.
void greet(ChannelSender& sender, ChannelReceiver& receiver, uint64_t last_durable_sequence = 0) {
    CHECK_FALSE(sender.connect(0ms));
    const auto hello = receiver.receive(kLong);
    CHECK(hello.has_value());
    CHECK(FrameKind::hello == hello->header.kind);
    receiver.welcome(*hello, last_durable_sequence);
    CHECK(sender.connect(kLong));
    // The second hello, said by the connect that was welcomed.
    const auto again = receiver.receive(kLong);
    CHECK(again.has_value());
    CHECK(FrameKind::hello == again->header.kind);
}

ReceivedFrame take(ChannelReceiver& receiver) {
    auto received = receiver.receive(kLong);
    CHECK(received.has_value());
    return *received;
}

// A peer that speaks ZeroMQ but not the channel's language.
struct RawPeer {
    RawPeer(zmq::socket_type type, zmq::context_t& context) : socket(context, type) {
        socket.set(zmq::sockopt::linger, 0);
    }
    void say(const std::string& octets) {
        CHECK(socket.send(zmq::buffer(octets), zmq::send_flags::dontwait).has_value());
    }
    zmq::socket_t socket;
};

std::string ipc_endpoint() {
    return fmt::format("ipc://@curlew-channel-test-{}", getpid());
}

}  // namespace

TEST_GROUP(Channel) {
    ChannelContext context;
};

TEST(Channel, carries_a_frame_unchanged) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1, "some records"), 1, kLong));
    const ReceivedFrame received = take(receiver);
    CHECK(batch(1, "some records") == received.octets);
    CHECK(FrameKind::batch == received.header.kind);
    CHECK_EQUAL(1u, received.header.first_sequence);
    CHECK_EQUAL(3u, receiver.counters().frames_received);
    CHECK_EQUAL(0u, receiver.counters().frames_refused);
    CHECK_EQUAL(1u, sender.counters().frames_sent);
}

TEST(Channel, does_not_mind_a_sender_made_before_the_receiver) {
    ChannelSender sender(context, config_with_window(4));
    CHECK_FALSE(sender.connect(kShort));
    ChannelReceiver receiver(context, kEndpoint);
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
    while (take(receiver).header.kind != FrameKind::batch) {
    }
    CHECK_EQUAL(0u, receiver.counters().frames_refused);
}

TEST(Channel, welcome_says_where_the_collector_stands) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(4));
    greet(sender, receiver, 41);
    CHECK_EQUAL(41u, sender.last_acknowledged());
    CHECK(sender.send(batch(42), 42, kLong));
}

TEST(Channel, full_window_holds_a_frame_back_until_one_is_acknowledged) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(2));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, 0ms));
    CHECK(sender.send(batch(2), 2, 0ms));
    std::string third = batch(3);
    CHECK_FALSE(sender.send(std::move(third), 3, kShort));
    CHECK(batch(3) == third);

    const ReceivedFrame first = take(receiver);
    receiver.acknowledge(first.peer, 7, 8, 1);
    CHECK(sender.send(std::move(third), 3, kLong));
    CHECK_EQUAL(1u, sender.last_acknowledged());
    CHECK_FALSE(sender.send(batch(4), 4, kShort));
}

TEST(Channel, one_acknowledgement_frees_all_frames_up_to_it) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(3));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 10, 0ms));
    CHECK(sender.send(batch(11), 20, 0ms));
    CHECK(sender.send(batch(21), 30, 0ms));
    const ReceivedFrame first = take(receiver);
    receiver.acknowledge(first.peer, 7, 8, 20);
    CHECK(sender.send(batch(31), 40, kLong));
    CHECK(sender.send(batch(41), 50, 0ms));
    CHECK_FALSE(sender.send(batch(51), 60, kShort));
    CHECK_EQUAL(20u, sender.last_acknowledged());
}

TEST(Channel, part_of_a_frame_acknowledged_keeps_it_in_the_window) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(1));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 10, 0ms));
    receiver.acknowledge(take(receiver).peer, 7, 8, 9);
    CHECK_FALSE(sender.send(batch(11), 20, kShort));
    CHECK_EQUAL(9u, sender.last_acknowledged());
}

TEST(Channel, drains_when_all_is_acknowledged) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.drain(0ms));
    CHECK(sender.send(batch(1), 1, kLong));
    CHECK(sender.send(batch(2), 2, kLong));
    receiver.acknowledge(take(receiver).peer, 7, 8, 1);
    CHECK_FALSE(sender.drain(kShort));
    receiver.acknowledge(take(receiver).peer, 7, 8, 2);
    CHECK(sender.drain(kLong));
    CHECK_EQUAL(2u, sender.last_acknowledged());
}

TEST(Channel, carries_ten_thousand_frames_between_two_threads_in_order) {
    constexpr uint64_t kFrames = 10000;
    ChannelReceiver receiver(context, kEndpoint);
    uint64_t received_in_order = 0;
    uint64_t most_unacknowledged = 0;
    std::thread collector([&] {
        uint64_t acknowledged = 0;
        while (received_in_order < kFrames) {
            const auto received = receiver.receive(kLong);
            if (!received) {
                return;
            }
            if (received->header.kind == FrameKind::hello) {
                receiver.welcome(*received, 0);
                continue;
            }
            if (received->header.first_sequence != received_in_order + 1) {
                return;
            }
            ++received_in_order;
            most_unacknowledged = std::max(most_unacknowledged, received_in_order - acknowledged);
            // Late and together, so that the window really fills.
            if (received_in_order - acknowledged == 8 || received_in_order == kFrames) {
                acknowledged = received_in_order;
                receiver.acknowledge(received->peer, 7, 8, acknowledged);
            }
        }
    });
    ChannelSender sender(context, config_with_window(8));
    bool all_sent = sender.connect(kLong);
    for (uint64_t sequence = 1; all_sent && sequence <= kFrames; ++sequence) {
        all_sent = sender.send(batch(sequence), sequence, kLong);
    }
    const bool drained = all_sent && sender.drain(kLong);
    collector.join();
    CHECK(all_sent);
    CHECK(drained);
    CHECK_EQUAL(kFrames, received_in_order);
    CHECK_EQUAL(8u, most_unacknowledged);
    CHECK_EQUAL(kFrames, sender.last_acknowledged());
}

TEST(Channel, window_of_any_size_never_blocks_in_the_queue) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(1024));
    greet(sender, receiver);
    for (uint64_t sequence = 1; sequence <= 1024; ++sequence) {
        CHECK(sender.send(batch(sequence), sequence, 0ms));
    }
    CHECK_FALSE(sender.send(batch(1025), 1025, kShort));
    for (uint64_t sequence = 1; sequence <= 1024; ++sequence) {
        CHECK_EQUAL(sequence, take(receiver).header.first_sequence);
    }
}

TEST(Channel, connecting_again_forgets_what_was_in_flight) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(1));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
    CHECK_FALSE(sender.send(batch(2), 2, kShort));
    take(receiver);
    greet(sender, receiver, 0);
    CHECK(sender.send(batch(1), 1, kLong));
    CHECK_EQUAL(1u, take(receiver).header.first_sequence);
}

TEST(Channel, refuses_and_counts_what_is_no_frame_of_a_probe) {
    const std::string endpoint = ipc_endpoint();
    ChannelReceiver receiver(context, endpoint);
    zmq::context_t foreign;
    RawPeer peer(zmq::socket_type::dealer, foreign);
    peer.socket.connect(endpoint);
    std::string damaged = batch(1);
    damaged.back() = 'x';
    peer.say("");
    peer.say("garbage");
    peer.say(damaged);
    peer.say(batch(1) + "more");
    peer.say(without_body(FrameKind::welcome, 0));
    peer.say(without_body(FrameKind::acknowledge, 0));
    peer.socket.send(zmq::buffer("two"), zmq::send_flags::sndmore);
    peer.say(batch(1));
    peer.say(batch(2));
    CHECK_EQUAL(2u, take(receiver).header.first_sequence);
    CHECK_EQUAL(7u, receiver.counters().frames_refused);
    CHECK_EQUAL(1u, receiver.counters().frames_received);
}

TEST(Channel, closes_on_a_peer_whose_message_is_too_long) {
    const std::string endpoint = ipc_endpoint();
    ChannelReceiver receiver(context, endpoint);
    zmq::context_t foreign;
    RawPeer peer(zmq::socket_type::dealer, foreign);
    peer.socket.connect(endpoint);
    peer.say(std::string(48 + 256 * 1024 + 1, 'x'));
    CHECK_FALSE(receiver.receive(kShort).has_value());
    RawPeer honest(zmq::socket_type::dealer, foreign);
    honest.socket.connect(endpoint);
    honest.say(batch(1, std::string(256 * 1024, 'x')));
    CHECK_EQUAL(1u, take(receiver).header.first_sequence);
    CHECK_EQUAL(0u, receiver.counters().frames_refused);
}

TEST(Channel, sender_counts_answers_that_are_not_for_it) {
    zmq::context_t foreign;
    RawPeer collector(zmq::socket_type::router, foreign);
    const std::string endpoint = ipc_endpoint();
    collector.socket.bind(endpoint);
    SenderConfig config = config_with_window(1);
    config.endpoint = endpoint;
    ChannelSender sender(context, config);
    CHECK_FALSE(sender.connect(kShort));
    zmq::message_t peer;
    collector.socket.set(zmq::sockopt::rcvtimeo, 10000);
    CHECK(collector.socket.recv(peer).has_value());
    const auto answer = [&](const std::string& octets) {
        zmq::message_t name(peer.to_string());
        collector.socket.send(name, zmq::send_flags::sndmore);
        collector.socket.send(zmq::buffer(octets), zmq::send_flags::none);
    };
    answer("garbage");
    answer(without_body(FrameKind::welcome, 0, 9));
    answer(without_body(FrameKind::welcome, 0));
    CHECK(sender.connect(kLong));
    CHECK_EQUAL(2u, sender.counters().answers_refused);

    CHECK(sender.send(batch(1), 1, kLong));
    answer(without_body(FrameKind::acknowledge, 2));
    CHECK_FALSE(sender.drain(kShort));
    CHECK_EQUAL(3u, sender.counters().answers_refused);
    CHECK_EQUAL(0u, sender.last_acknowledged());
    answer(without_body(FrameKind::acknowledge, 1));
    CHECK(sender.drain(kLong));
}

TEST(Channel, receiver_counts_answers_to_a_peer_that_is_gone) {
    ChannelReceiver receiver(context, kEndpoint);
    receiver.acknowledge("nobody", 7, 8, 1);
    CHECK_EQUAL(1u, receiver.counters().answers_lost);
}

TEST(Channel, sender_without_a_collector_gives_up_in_time_and_closes) {
    ChannelSender sender(context, config_with_window(4));
    CHECK_FALSE(sender.connect(kShort));
    CHECK_FALSE(sender.connect(kShort));
}

TEST(Channel, ends_with_frames_unread_close_at_once) {
    ChannelReceiver receiver(context, kEndpoint);
    ChannelSender sender(context, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
}

TEST(Channel, ends_outlive_their_context) {
    auto short_lived = std::make_unique<ChannelContext>();
    ChannelReceiver receiver(*short_lived, kEndpoint);
    ChannelSender sender(*short_lived, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
    take(receiver);
    short_lived.reset();
    CHECK_FALSE(sender.send(batch(2), 2, kLong));
    CHECK_FALSE(sender.drain(kLong));
    CHECK_FALSE(receiver.receive(kLong).has_value());
}

TEST(Channel, refuses_an_endpoint_or_window_that_cannot_be) {
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, "nonsense"));
    CHECK_THROWS(std::runtime_error, ChannelSender(context, config_with_window(0)));
    CHECK_THROWS(std::runtime_error, ChannelSender(context, config_with_window(1025)));
    ChannelReceiver receiver(context, kEndpoint);
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, kEndpoint));
}

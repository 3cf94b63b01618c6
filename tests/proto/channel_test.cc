#include "proto/channel.h"

#include <fmt/core.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
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
using curlew::proto::SenderState;

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

// The sender with waits, as tests want them: each turn is short, and only a test that fails waits
// for long.
struct Sender {
    Sender(ChannelContext& context, const SenderConfig& config) : channel(context, config) {}

    template <typename Condition>
    bool turn_until(Condition&& holds, std::chrono::milliseconds timeout) {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        channel.turn(1, 0ms);
        while (!holds() && std::chrono::steady_clock::now() < deadline) {
            channel.turn(1, 5ms);
        }
        return holds();
    }
    bool connect(std::chrono::milliseconds timeout) {
        return turn_until([this] { return channel.state() == SenderState::welcomed; }, timeout);
    }
    bool send(const std::string& frame, uint64_t last_sequence, std::chrono::milliseconds timeout) {
        const auto ready = [this] {
            return channel.state() == SenderState::welcomed && channel.has_room();
        };
        return turn_until(ready, timeout) &&
               channel.send(std::make_shared<const std::string>(frame), last_sequence);
    }
    bool drain(std::chrono::milliseconds timeout) {
        return turn_until([this] { return last_acknowledged() == channel.last_sent(); }, timeout);
    }
    uint64_t last_acknowledged() const { return channel.last_acknowledged(); }
    const curlew::proto::SenderCounters& counters() const { return channel.counters(); }

    ChannelSender channel;
};

// Both ends in one thread.
void greet(Sender& sender, ChannelReceiver& receiver, uint64_t last_durable_sequence = 0) {
    CHECK_FALSE(sender.connect(0ms));
    const auto hello = receiver.receive(kLong);
    CHECK(hello.has_value());
    CHECK(FrameKind::hello == hello->header.kind);
    CHECK(receiver.welcome(*hello, last_durable_sequence));
    CHECK(sender.connect(kLong));
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
    Sender sender(context, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1, "some records"), 1, kLong));
    const ReceivedFrame received = take(receiver);
    CHECK(batch(1, "some records") == received.octets);
    CHECK(FrameKind::batch == received.header.kind);
    CHECK_EQUAL(1u, received.header.first_sequence);
    CHECK_EQUAL(2u, receiver.counters().frames_received);
    CHECK_EQUAL(0u, receiver.counters().frames_refused);
    CHECK_EQUAL(1u, sender.counters().frames_sent);
}

TEST(Channel, does_not_mind_a_sender_made_before_the_receiver) {
    Sender sender(context, config_with_window(4));
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
    Sender sender(context, config_with_window(4));
    greet(sender, receiver, 41);
    CHECK_EQUAL(41u, sender.last_acknowledged());
    CHECK(sender.send(batch(42), 42, kLong));
}

TEST(Channel, full_window_holds_a_frame_back_until_one_is_acknowledged) {
    ChannelReceiver receiver(context, kEndpoint);
    Sender sender(context, config_with_window(2));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, 0ms));
    CHECK(sender.send(batch(2), 2, 0ms));
    CHECK_FALSE(sender.send(batch(3), 3, kShort));

    const ReceivedFrame first = take(receiver);
    receiver.acknowledge(first.peer, 7, 8, 1);
    CHECK(sender.send(batch(3), 3, kLong));
    CHECK_EQUAL(1u, sender.last_acknowledged());
    CHECK_FALSE(sender.send(batch(4), 4, kShort));
}

TEST(Channel, one_acknowledgement_frees_all_frames_up_to_it) {
    ChannelReceiver receiver(context, kEndpoint);
    Sender sender(context, config_with_window(3));
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
    Sender sender(context, config_with_window(1));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 10, 0ms));
    receiver.acknowledge(take(receiver).peer, 7, 8, 9);
    CHECK_FALSE(sender.send(batch(11), 20, kShort));
    CHECK_EQUAL(9u, sender.last_acknowledged());
}

TEST(Channel, drains_when_all_is_acknowledged) {
    ChannelReceiver receiver(context, kEndpoint);
    Sender sender(context, config_with_window(4));
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
    Sender sender(context, config_with_window(8));
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
    Sender sender(context, config_with_window(1024));
    greet(sender, receiver);
    for (uint64_t sequence = 1; sequence <= 1024; ++sequence) {
        CHECK(sender.send(batch(sequence), sequence, 0ms));
    }
    CHECK_FALSE(sender.send(batch(1025), 1025, kShort));
    for (uint64_t sequence = 1; sequence <= 1024; ++sequence) {
        CHECK_EQUAL(sequence, take(receiver).header.first_sequence);
    }
}

TEST(Channel, a_silent_collector_is_asked_anew_and_says_where_it_stands) {
    ChannelReceiver receiver(context, kEndpoint);
    SenderConfig config = config_with_window(2);
    config.patience = 20ms;
    Sender sender(context, config);
    greet(sender, receiver, 5);
    CHECK(sender.send(batch(6), 6, kLong));
    CHECK(sender.send(batch(7), 7, kLong));
    take(receiver);
    take(receiver);
    const auto asks_again = [&] { return sender.channel.state() != SenderState::welcomed; };
    CHECK(sender.turn_until(asks_again, kLong));
    const ReceivedFrame hello = take(receiver);
    CHECK(FrameKind::hello == hello.header.kind);
    CHECK(receiver.welcome(hello, 6));
    CHECK(sender.connect(kLong));
    CHECK_EQUAL(6u, sender.channel.last_sent());
    CHECK_EQUAL(6u, sender.last_acknowledged());
    CHECK_EQUAL(2u, sender.counters().connections);
    CHECK(sender.send(batch(7), 7, kLong));
    CHECK_EQUAL(7u, take(receiver).header.first_sequence);
}

TEST(Channel, a_slow_line_is_waited_for_longer_each_time) {
    ChannelReceiver receiver(context, kEndpoint);
    SenderConfig config = config_with_window(1);
    config.patience = 20ms;
    Sender sender(context, config);
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
    // As if each frame were on its way for so long.
    constexpr auto kOnItsWay = 150ms;
    std::string peer;
    auto due = std::chrono::steady_clock::now() + kOnItsWay;
    const auto goes_on = [&] {
        if (auto received = receiver.receive(0ms)) {
            if (received->header.kind == FrameKind::hello) {
                CHECK(receiver.welcome(*received, 0));
            } else {
                peer = received->peer;
                due = std::chrono::steady_clock::now() + kOnItsWay;
            }
        }
        if (sender.channel.state() == SenderState::welcomed && sender.channel.last_sent() == 0) {
            CHECK(sender.channel.send(std::make_shared<const std::string>(batch(1)), 1));
        }
        if (!peer.empty() && std::chrono::steady_clock::now() >= due) {
            receiver.acknowledge(std::exchange(peer, ""), 7, 8, 1);
        }
        return sender.last_acknowledged() == 1;
    };
    CHECK(sender.turn_until(goes_on, kLong));
    const uint64_t connections = sender.counters().connections;
    CHECK(connections > 2);
    // A short frame between does not make it forget.
    CHECK(sender.send(batch(2), 2, kLong));
    const std::string last_peer = take(receiver).peer;
    receiver.acknowledge(last_peer, 7, 8, 2);
    CHECK(sender.drain(kLong));
    CHECK(sender.send(batch(3), 3, kLong));
    take(receiver);
    due = std::chrono::steady_clock::now() + 100ms;
    const auto is_due = [&due] { return std::chrono::steady_clock::now() >= due; };
    CHECK(sender.turn_until(is_due, kLong));
    receiver.acknowledge(last_peer, 7, 8, 3);
    CHECK(sender.drain(kLong));
    CHECK_EQUAL(connections, sender.counters().connections);
}

TEST(Channel, a_collector_that_says_to_have_more_than_there_is_takes_nothing_away) {
    ChannelReceiver receiver(context, kEndpoint);
    SenderConfig config = config_with_window(2);
    config.refused_pause = 20ms;
    ChannelSender sender(context, config);
    sender.turn(1, 0ms, 5);
    CHECK(receiver.welcome(take(receiver), 6));
    while (sender.state() == SenderState::connecting) {
        sender.turn(1, 5ms, 5);
    }
    CHECK(sender.state() == SenderState::refused);
    STRCMP_CONTAINS("it says to have records that this probe never made", sender.refusal().c_str());
    CHECK_EQUAL(0u, sender.last_acknowledged());
    CHECK_EQUAL(0u, sender.last_sent());
    CHECK_EQUAL(1u, sender.counters().answers_refused);
    // It is asked again.
    std::optional<ReceivedFrame> hello;
    while (!hello) {
        sender.turn(1, 5ms, 5);
        hello = receiver.receive(0ms);
    }
    CHECK(receiver.welcome(*hello, 5));
    while (sender.state() != SenderState::welcomed) {
        sender.turn(1, 5ms, 5);
    }
    CHECK_EQUAL(5u, sender.last_acknowledged());
}

TEST(Channel, hello_tells_what_is_held_and_who_speaks) {
    ChannelReceiver receiver(context, kEndpoint);
    SenderConfig config = config_with_window(2);
    config.hello = "who I am";
    ChannelSender sender(context, config);
    sender.turn(41, 0ms);
    const ReceivedFrame hello = take(receiver);
    CHECK_EQUAL(41u, hello.header.first_sequence);
    CHECK(hello.octets.ends_with("who I am"));
}

TEST(Channel, what_the_caller_gave_up_unsent_is_told_by_another_hello) {
    ChannelReceiver receiver(context, kEndpoint);
    Sender sender(context, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
    CHECK_EQUAL(1u, take(receiver).header.first_sequence);
    // Sent ones may go without a word.
    sender.channel.turn(2, 0ms);
    CHECK(sender.channel.state() == SenderState::welcomed);
    sender.channel.turn(5, 0ms);
    CHECK(sender.channel.state() == SenderState::connecting);
    sender.channel.turn(5, kShort);
    const ReceivedFrame hello = take(receiver);
    CHECK(FrameKind::hello == hello.header.kind);
    CHECK_EQUAL(5u, hello.header.first_sequence);
    // A collector that does not go along with it is not asked for ever.
    CHECK(receiver.welcome(hello, 1));
    while (sender.channel.state() != SenderState::welcomed) {
        sender.channel.turn(5, 5ms);
    }
    sender.channel.turn(5, kShort);
    CHECK(sender.channel.state() == SenderState::welcomed);
}

TEST(Channel, without_a_descriptor_to_be_had_it_waits_for_one) {
    ChannelReceiver receiver(context, kEndpoint);
    SenderConfig config = config_with_window(4);
    config.refused_pause = kShort;
    Sender sender(context, config);
    greet(sender, receiver);
    rlimit before{};
    CHECK_EQUAL(0, getrlimit(RLIMIT_NOFILE, &before));
    const rlimit none{3, before.rlim_max};
    CHECK_EQUAL(0, setrlimit(RLIMIT_NOFILE, &none));
    const SenderState state = sender.channel.turn(5, 0ms);
    CHECK_EQUAL(0, setrlimit(RLIMIT_NOFILE, &before));
    CHECK(state == SenderState::refused);
    STRCMP_CONTAINS("Too many open files", sender.channel.refusal().c_str());
    std::optional<ReceivedFrame> hello;
    while (!hello) {
        sender.channel.turn(5, 5ms);
        hello = receiver.receive(0ms);
    }
    CHECK_EQUAL(5u, hello->header.first_sequence);
}

TEST(Channel, refusal_is_told_in_printable_words) {
    ChannelReceiver receiver(context, kEndpoint);
    Sender sender(context, config_with_window(2));
    CHECK_FALSE(sender.connect(0ms));
    const ReceivedFrame hello = take(receiver);
    CHECK(receiver.refuse(hello, curlew::proto::REFUSAL_REASON_PROBE_ID, "two of\nyou"));
    const auto is_refused = [&] { return sender.channel.state() == SenderState::refused; };
    CHECK(sender.turn_until(is_refused, kLong));
    STRCMP_EQUAL("two of?you", sender.channel.refusal().c_str());
    // A welcome that comes late all the same ends it.
    CHECK(receiver.welcome(hello, 0));
    CHECK(sender.connect(kLong));
    STRCMP_EQUAL("", sender.channel.refusal().c_str());
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
    Sender sender(context, config);
    zmq::message_t peer;
    // A hello leaves by a connection that stands, which may take its time.
    while (!collector.socket.recv(peer, zmq::recv_flags::dontwait)) {
        CHECK_FALSE(sender.connect(kShort));
    }
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
    Sender sender(context, config_with_window(4));
    CHECK_FALSE(sender.connect(kShort));
    CHECK_FALSE(sender.connect(kShort));
}

TEST(Channel, ends_with_frames_unread_close_at_once) {
    ChannelReceiver receiver(context, kEndpoint);
    Sender sender(context, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
}

TEST(Channel, ends_outlive_their_context) {
    auto short_lived = std::make_unique<ChannelContext>();
    ChannelReceiver receiver(*short_lived, kEndpoint);
    Sender sender(*short_lived, config_with_window(4));
    greet(sender, receiver);
    CHECK(sender.send(batch(1), 1, kLong));
    take(receiver);
    short_lived.reset();
    CHECK_FALSE(sender.drain(kShort));
    CHECK_FALSE(receiver.receive(kLong).has_value());
}

TEST(Channel, refuses_an_endpoint_or_window_that_cannot_be) {
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, "nonsense"));
    CHECK_THROWS(std::runtime_error, ChannelSender(context, config_with_window(0)));
    CHECK_THROWS(std::runtime_error, ChannelSender(context, config_with_window(1025)));
    ChannelReceiver receiver(context, kEndpoint);
    CHECK_THROWS(std::runtime_error, ChannelReceiver(context, kEndpoint));
}

TEST(Channel, over_ipc_who_does_not_wait_is_made_to) {
    const curlew::tests::TemporaryFolder folder;
    const std::string endpoint = "ipc://" + (folder.path() / "socket").string();
    ChannelReceiver receiver(context, endpoint);
    zmq::context_t outside;
    zmq::socket_t flood(outside, zmq::socket_type::dealer);
    flood.set(zmq::sockopt::linger, 0);
    flood.set(zmq::sockopt::sndhwm, 1);
    flood.connect(endpoint);
    // Far more than waits in both queues and in the system's.
    constexpr int kMost = 4000;
    const std::string frame = batch(1, std::string(64 * 1024, 'x'));
    int sent = 0;
    const auto has_room = [&flood] {
        zmq::pollitem_t item = {flood.handle(), 0, ZMQ_POLLOUT, 0};
        return zmq::poll(&item, 1, 500ms) == 1;
    };
    while (sent < kMost && has_room()) {
        CHECK(flood.send(zmq::buffer(frame), zmq::send_flags::dontwait).has_value());
        ++sent;
    }
    CHECK(sent > 64);
    CHECK(sent < 500);
    // And once it is read it goes on.
    take(receiver);
}

#include <fmt/core.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <utility>

#include "proto/channel_socket.h"

namespace curlew::proto {
namespace {

using Clock = ChannelClock;

// What the other end says is for people: printable ASCII, cut.
std::string printable(const std::string& text) {
    constexpr size_t kLongestSentence = 500;
    std::string shown = text.substr(0, kLongestSentence);
    for (char& character : shown) {
        if (character < 0x20 || character > 0x7e) {
            character = '?';
        }
    }
    return shown;
}

}  // namespace

struct ChannelSender::Implementation {
    Implementation(ChannelContext& context, SenderConfig sender_config)
        : config(std::move(sender_config)), zmq(context.implementation().zmq) {
        if (config.window_frames == 0 || config.window_frames > kMaximumWindowFrames) {
            throw std::runtime_error(
                fmt::format("channel {}: a window of {} frames is not in 1..{}",
                            config.endpoint,
                            config.window_frames,
                            kMaximumWindowFrames));
        }
        if (config.hello.size() > kMaximumFrameBodyOctets) {
            throw std::runtime_error(
                fmt::format("channel {}: the hello is too long", config.endpoint));
        }
        if (is_tcp(config.endpoint) && !config.keys && !config.insecure) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot connect without keys: anybody could take the "
                            "records",
                            config.endpoint));
        }
        open();
    }

    ~Implementation() { stop_news(socket); }
    Implementation(const Implementation&) = delete;
    Implementation& operator=(const Implementation&) = delete;

    // The high-water mark is above the window, so ZeroMQ never is what holds a frame back.
    zmq::socket_t make_socket() const {
        constexpr int kFirstReconnectMs = 20;
        constexpr int kLastReconnectMs = 1000;
        const int queue = static_cast<int>(config.window_frames) + kSpareMessages;
        zmq::socket_t made(*zmq, zmq::socket_type::dealer);
        set_common(made);
        set_heartbeats(made, is_tcp(config.endpoint));
        // Without a connection nothing is queued: hellos do not pile up.
        made.set(zmq::sockopt::immediate, true);
        made.set(zmq::sockopt::reconnect_ivl, kFirstReconnectMs);
        made.set(zmq::sockopt::reconnect_ivl_max, kLastReconnectMs);
        made.set(zmq::sockopt::sndhwm, queue);
        made.set(zmq::sockopt::rcvhwm, queue);
        const bool with_keys = is_tcp(config.endpoint) && config.keys.has_value();
        set_bound(made, with_keys);
        if (with_keys) {
            made.set(zmq::sockopt::curve_serverkey, config.keys->collector);
            made.set(zmq::sockopt::curve_publickey, config.keys->own.public_key);
            made.set(zmq::sockopt::curve_secretkey, config.keys->own.secret_key);
        }
        return made;
    }

    zmq::socket_t handshakes_of(zmq::socket_t& watched) const {
        // The one before is closed by ZeroMQ when it gets round to it: each has its own name.
        static std::atomic<uint64_t> count = 0;
        const std::string name = fmt::format("inproc://handshakes-{}", ++count);
        constexpr int kNews = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
        if (zmq_socket_monitor(watched.handle(), name.c_str(), kNews) != 0) {
            throw zmq::error_t();
        }
        zmq::socket_t news(*zmq, zmq::socket_type::pair);
        news.set(zmq::sockopt::linger, 0);
        news.set(zmq::sockopt::rcvhwm, 0);
        news.connect(name);
        return news;
    }

    // A new socket is a new peer to the collector: nothing of an earlier connection can arrive on
    // it. The one before stays where there is none to be had.
    void open() {
        try {
            zmq::socket_t made = make_socket();
            zmq::socket_t news = is_tcp(config.endpoint) ? handshakes_of(made) : zmq::socket_t();
            made.connect(config.endpoint);
            stop_news(socket);
            handshakes = std::move(news);
            socket = std::move(made);
        } catch (const zmq::error_t& error) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot connect: {}", config.endpoint, error.what()));
        }
        state = SenderState::connecting;
        refusal.clear();
        in_flight.clear();
        hello_due = Clock::now();
        is_given_up = false;
    }

    // A process may be short of descriptors for a while.
    void reopen() {
        try {
            open();
        } catch (const std::runtime_error& error) {
            state = SenderState::refused;
            refusal = error.what();
            in_flight.clear();
            is_given_up = true;
            hello_due = Clock::now() + config.refused_pause;
        }
    }

    // After a refused key and a wrong answer ZeroMQ never connects again; after a connection that
    // breaks off it does by itself, and once may be chance.
    void take_handshakes() {
        zmq::message_t event;
        zmq::message_t endpoint;
        while (handshakes.handle() != nullptr && receive_now(handshakes, event) &&
               receive_now(handshakes, endpoint)) {
            uint16_t number = 0;
            assert(event.size() >= sizeof(number));
            std::memcpy(&number, event.data(), sizeof(number));
            const bool breaks_off = number == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
            if (breaks_off && state == SenderState::welcomed) {
                continue;
            }
            state = SenderState::refused;
            refusal = number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                          ? "this probe's key is not one of those that it lets in"
                      : config.keys
                          ? "no keys could be exchanged: it has another public key, or none, or is "
                            "too far away"
                          : "no connection without keys";
            if (!breaks_off) {
                in_flight.clear();
                is_given_up = true;
                hello_due = Clock::now() + config.refused_pause;
            }
        }
    }

    void try_again_if_given_up() {
        if (is_given_up && Clock::now() >= hello_due) {
            const std::string why = refusal;
            reopen();
            // Until it is known better.
            state = SenderState::refused;
            refusal = is_given_up ? refusal : why;
        }
    }

    bool has_room() const noexcept { return in_flight.size() < config.window_frames; }

    void advance_to(uint64_t last_durable_sequence) {
        if (!in_flight.empty() && in_flight.front() <= last_durable_sequence) {
            const auto now = Clock::now();
            // As long as the line needs, with room for its moods; short frames say little of it.
            patience = std::clamp<Clock::duration>(
                std::max(4 * (now - last_progress), patience * 7 / 8), config.patience, patience);
            last_progress = now;
        }
        while (!in_flight.empty() && in_flight.front() <= last_durable_sequence) {
            in_flight.pop_front();
        }
        acknowledged = std::max(acknowledged, last_durable_sequence);
    }

    void take_welcome(uint64_t last_durable_sequence) {
        if (last_durable_sequence > last_made) {
            ++counters.answers_refused;
            refusal =
                "it says to have records that this probe never made; another program may listen "
                "there";
            state = SenderState::refused;
            hello_due = Clock::now() + config.refused_pause;
            return;
        }
        state = SenderState::welcomed;
        refusal.clear();
        ++counters.connections;
        // It may lie below what was acknowledged before: a collector that lost what it had. What
        // the caller gave away is gone then; the next hello says so by its first sequence.
        acknowledged = last_durable_sequence;
        last_sent = last_durable_sequence;
        last_progress = Clock::now();
    }

    void take_refusal(std::span<const uint8_t> body) {
        Refusal message;
        const bool readable = message.ParseFromArray(body.data(), static_cast<int>(body.size()));
        refusal = readable && !message.sentence().empty() ? printable(message.sentence())
                                                          : "the collector refuses this probe";
        state = SenderState::refused;
        in_flight.clear();
        hello_due = Clock::now() + config.refused_pause;
    }

    void take_answer(const zmq::message_t& message) {
        FrameView view;
        if (decode_frame(octets_of(message), view) != FrameError::none ||
            view.frame_octets != message.size() || view.header.probe_id != config.probe_id ||
            view.header.epoch != config.epoch) {
            ++counters.answers_refused;
            return;
        }
        const uint64_t last_durable_sequence = view.header.first_sequence;
        const FrameKind kind = view.header.kind;
        if (kind == FrameKind::refuse) {
            take_refusal(view.body);
            return;
        }
        if (kind == FrameKind::welcome && state != SenderState::welcomed) {
            take_welcome(last_durable_sequence);
            return;
        }
        // A second hello brings a second welcome, which then says no more than an acknowledgement.
        const bool expected = kind == FrameKind::acknowledge || kind == FrameKind::welcome;
        if (state != SenderState::welcomed || !expected || last_durable_sequence > last_sent) {
            ++counters.answers_refused;
            return;
        }
        advance_to(last_durable_sequence);
    }

    bool take_answers() {
        const SenderState before = state;
        take_handshakes();
        zmq::message_t message;
        bool any = false;
        while (receive_now(socket, message)) {
            take_answer(message);
            any = true;
        }
        return any || state != before;
    }

    // True when one could be handed to a connection.
    bool say_hello_if_due(uint64_t first_held) {
        if (state == SenderState::welcomed || Clock::now() < hello_due) {
            return false;
        }
        zmq::message_t hello = message_of(frame_of({.kind = FrameKind::hello,
                                                    .probe_id = config.probe_id,
                                                    .epoch = config.epoch,
                                                    .first_sequence = first_held},
                                                   config.hello));
        if (!send_now(socket, hello, zmq::send_flags::none)) {
            return false;
        }
        first_held_told = first_held;
        hello_due =
            Clock::now() + (state == SenderState::refused ? config.refused_pause : kHelloPause);
        return true;
    }

    // Who may not use a socket is told by nobody: ZeroMQ tries for ever.
    void look_for_socket() {
        const auto now = Clock::now();
        if (state != SenderState::connecting || !config.endpoint.starts_with(kIpc) ||
            now < socket_due) {
            return;
        }
        socket_due = now + kSocketRound;
        const bool is_barred =
            ::access(config.endpoint.c_str() + kIpc.size(), W_OK) != 0 && errno == EACCES;
        refusal = is_barred ? "this user may not use its socket" : "";
    }

    void reopen_if_silent() {
        if (state == SenderState::welcomed && !in_flight.empty() &&
            Clock::now() - last_progress > patience) {
            patience = std::min<Clock::duration>(
                2 * patience, std::max<Clock::duration>(kLongestPatience, config.patience));
            reopen();
        }
    }

    // The caller gave up what was not sent: the collector learns by a hello that it never comes.
    void leave_a_gap_if_any(uint64_t first_held) {
        if (state == SenderState::welcomed && first_held > last_sent + 1 &&
            first_held > first_held_told) {
            reopen();
        }
    }

    // While a hello is due but no connection takes it, the wait is for one.
    short events_to_wait_for() const {
        const bool wants_connection = state != SenderState::welcomed && Clock::now() >= hello_due;
        return wants_connection ? short{ZMQ_POLLIN | ZMQ_POLLOUT} : short{ZMQ_POLLIN};
    }

    // Failed handshakes wake nobody.
    Clock::time_point next_event(Clock::time_point deadline) const {
        if (handshakes.handle() != nullptr) {
            deadline = std::min(deadline, Clock::now() + kHandshakeRound);
        }
        if (state != SenderState::welcomed) {
            return hello_due > Clock::now() ? std::min(deadline, hello_due) : deadline;
        }
        return in_flight.empty() ? deadline : std::min(deadline, last_progress + patience);
    }

    SenderState turn(uint64_t first_held, std::chrono::milliseconds timeout, uint64_t last) {
        last_made = last;
        const auto deadline = deadline_after(timeout);
        bool changed = take_answers();
        while (true) {
            reopen_if_silent();
            leave_a_gap_if_any(first_held);
            try_again_if_given_up();
            say_hello_if_due(first_held);
            look_for_socket();
            const auto now = Clock::now();
            if (changed || now >= deadline || closed) {
                return state;
            }
            const auto until = next_event(deadline);
            if (!wait_for(socket, events_to_wait_for(), until) && Clock::now() < until) {
                closed = true;  // only a closed context ends a wait early without an event
            }
            changed = take_answers();
        }
    }

    static constexpr std::chrono::milliseconds kHelloPause{250};
    static constexpr std::chrono::milliseconds kHandshakeRound{50};
    static constexpr std::chrono::milliseconds kSocketRound{1000};

    SenderConfig config;
    std::shared_ptr<zmq::context_t> zmq;
    zmq::socket_t handshakes;        // tcp only: news of those that failed
    zmq::socket_t socket;            // after the context, so that it is closed before
    std::deque<uint64_t> in_flight;  // last sequences of the frames not acknowledged
    SenderState state = SenderState::connecting;
    bool closed = false;       // the context is gone
    bool is_given_up = false;  // ZeroMQ does not connect again on this socket
    std::string refusal;
    Clock::time_point hello_due;
    Clock::time_point socket_due = Clock::now();  // to be looked at
    Clock::time_point last_progress;
    Clock::duration patience{config.patience};
    uint64_t last_made = UINT64_MAX;
    uint64_t last_sent = 0;
    uint64_t first_held_told = 0;  // by the last hello
    uint64_t acknowledged = 0;
    SenderCounters counters;
};

ChannelSender::ChannelSender(ChannelContext& context, const SenderConfig& config)
    : implementation_(std::make_unique<Implementation>(context, config)) {}

ChannelSender::~ChannelSender() = default;

SenderState ChannelSender::turn(uint64_t first_held,
                                std::chrono::milliseconds timeout,
                                uint64_t last_made) {
    return implementation_->turn(first_held, timeout, last_made);
}

bool ChannelSender::has_room() const noexcept {
    return implementation_->has_room();
}

bool ChannelSender::send(std::shared_ptr<const std::string> frame, uint64_t last_sequence) {
    Implementation& self = *implementation_;
    assert(self.state == SenderState::welcomed);
    assert(self.has_room());
    assert(last_sequence > self.last_sent);
    zmq::message_t message = message_of(std::move(frame));
    if (!send_now(self.socket, message, zmq::send_flags::none)) {
        // Nothing takes it: the connection is gone. ZeroMQ makes a new one, whose other end may be
        // another collector, so it has to be asked again.
        self.reopen();
        return false;
    }
    if (self.in_flight.empty()) {
        self.last_progress = Clock::now();
    }
    ++self.counters.frames_sent;
    self.last_sent = last_sequence;
    self.in_flight.push_back(last_sequence);
    return true;
}

uint64_t ChannelSender::last_sent() const noexcept {
    return implementation_->last_sent;
}

uint64_t ChannelSender::last_acknowledged() const noexcept {
    return implementation_->acknowledged;
}

SenderState ChannelSender::state() const noexcept {
    return implementation_->state;
}

const std::string& ChannelSender::refusal() const noexcept {
    return implementation_->refusal;
}

const SenderCounters& ChannelSender::counters() const noexcept {
    return implementation_->counters;
}

}  // namespace curlew::proto

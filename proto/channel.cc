#include "proto/channel.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <deque>
#include <stdexcept>
#include <utility>
#include <zmq.hpp>

namespace curlew::proto {
namespace {

using Clock = std::chrono::steady_clock;

// What may lie in a queue beside the frames of a window: hellos said while no collector was there.
constexpr int kSpareMessages = 16;
// ZeroMQ reads a longer message only to refuse it; without this bound it would believe any length.
constexpr int64_t kMaximumMessageOctets = kFrameHeaderOctets + kMaximumFrameBodyOctets;
// Stands for any longer wait, so that no sum with the clock overflows.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24 * 365);

Clock::time_point deadline_after(std::chrono::milliseconds timeout) {
    return Clock::now() + std::min(timeout, kLongestWait);
}

std::span<const uint8_t> octets_of(const zmq::message_t& message) noexcept {
    return {message.data<uint8_t>(), message.size()};
}

// The frame's own octets; ZeroMQ lets go of its share when it has done with them.
zmq::message_t message_of(std::shared_ptr<const std::string> octets) {
    auto held = std::make_unique<std::shared_ptr<const std::string>>(std::move(octets));
    // ZeroMQ wants octets it might write; a message that is only sent is never written.
    zmq::message_t message(
        const_cast<char*>((*held)->data()),
        (*held)->size(),
        [](void*, void* hint) { delete static_cast<std::shared_ptr<const std::string>*>(hint); },
        held.get());
    static_cast<void>(held.release());
    return message;
}

zmq::message_t message_of(std::string&& octets) {
    return message_of(std::make_shared<const std::string>(std::move(octets)));
}

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

std::string frame_of(const FrameHeader& header, const std::string& body = {}) {
    std::string frame;
    append_frame(header, {reinterpret_cast<const uint8_t*>(body.data()), body.size()}, frame);
    return frame;
}

// What both ends want of a connection: a dead or silent peer is noticed, an honest one is waited
// for, no length is believed.
void set_common(zmq::socket_t& socket) {
    constexpr int kHeartbeatMs = 1000;
    constexpr int kHeartbeatTimeoutMs = 3000;
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::maxmsgsize, kMaximumMessageOctets);
    socket.set(zmq::sockopt::handshake_ivl, kHeartbeatMs);
    socket.set(zmq::sockopt::heartbeat_ivl, kHeartbeatMs);
    socket.set(zmq::sockopt::heartbeat_timeout, kHeartbeatTimeoutMs);
    socket.set(zmq::sockopt::heartbeat_ttl, kHeartbeatTimeoutMs);
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::ipv6, true);
}

// Waits until one of `events` holds. False at the deadline, or when the context was closed.
bool wait_for(zmq::socket_ref socket, short events, Clock::time_point deadline) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        zmq::pollitem_t item = {socket.handle(), 0, events, 0};
        try {
            zmq::poll(&item, 1, std::max(left, std::chrono::milliseconds(0)));
        } catch (const zmq::error_t& error) {
            if (error.num() == ETERM) {
                return false;
            }
            if (error.num() != EINTR) {
                throw;
            }
        }
        if ((item.revents & events) != 0) {
            return true;
        }
        if (Clock::now() >= deadline) {
            return false;
        }
    }
}

// False when there is nothing to read now, or the context was closed.
bool receive_now(zmq::socket_t& socket, zmq::message_t& message) {
    while (true) {
        try {
            return socket.recv(message, zmq::recv_flags::dontwait).has_value();
        } catch (const zmq::error_t& error) {
            if (error.num() == ETERM) {
                return false;
            }
            if (error.num() != EINTR) {
                throw;
            }
        }
    }
}

// False when the message could not be sent now: queue full, peer gone, or the context was closed.
bool send_now(zmq::socket_t& socket, zmq::message_t& message, zmq::send_flags flags) {
    while (true) {
        try {
            return socket.send(message, flags | zmq::send_flags::dontwait).has_value();
        } catch (const zmq::error_t& error) {
            if (error.num() == ETERM || error.num() == EHOSTUNREACH) {
                return false;
            }
            if (error.num() != EINTR) {
                throw;
            }
        }
    }
}

// ZeroMQ takes a path over from whoever listens there, without a word; a socket file whose owner is
// dead may be taken, a living one's may not.
void require_free(const std::string& endpoint) {
    constexpr std::string_view kIpc = "ipc://";
    if (!endpoint.starts_with(kIpc)) {
        return;
    }
    const std::string path = endpoint.substr(kIpc.size());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        throw std::runtime_error(
            fmt::format("channel {}: cannot listen: a socket's path has at "
                        "most {} octets",
                        endpoint,
                        sizeof(address.sun_path) - 1));
    }
    path.copy(address.sun_path, path.size());
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return;
    }
    const int result =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    ::close(probe);
    if (result == 0) {
        throw std::runtime_error(
            fmt::format("channel {}: cannot listen: another process listens there", endpoint));
    }
}

}  // namespace

FrameView ReceivedFrame::view() const noexcept {
    const std::span all(reinterpret_cast<const uint8_t*>(octets.data()), octets.size());
    return {
        .header = header, .body = all.subspan(kFrameHeaderOctets), .frame_octets = octets.size()};
}

// Each end holds the ZeroMQ context too, so that it is terminated when the last socket is closed;
// terminating it earlier would wait for that.
struct ChannelContext::Implementation {
    std::shared_ptr<zmq::context_t> zmq = std::make_shared<zmq::context_t>();
};

ChannelContext::ChannelContext() : implementation_(std::make_unique<Implementation>()) {}

ChannelContext::~ChannelContext() {
    implementation_->zmq->shutdown();
}

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
        open();
    }

    // A new socket is a new peer to the collector: nothing of an earlier connection can arrive on
    // it. The high-water mark is above the window, so ZeroMQ never is what holds a frame back.
    void open() {
        constexpr int kFirstReconnectMs = 20;
        constexpr int kLastReconnectMs = 1000;
        const int queue = static_cast<int>(config.window_frames) + kSpareMessages;
        try {
            socket = zmq::socket_t(*zmq, zmq::socket_type::dealer);
            set_common(socket);
            // Without a connection nothing is queued: hellos do not pile up.
            socket.set(zmq::sockopt::immediate, true);
            socket.set(zmq::sockopt::reconnect_ivl, kFirstReconnectMs);
            socket.set(zmq::sockopt::reconnect_ivl_max, kLastReconnectMs);
            socket.set(zmq::sockopt::sndhwm, queue);
            socket.set(zmq::sockopt::rcvhwm, queue);
            socket.connect(config.endpoint);
        } catch (const zmq::error_t& error) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot connect: {}", config.endpoint, error.what()));
        }
        state = SenderState::connecting;
        in_flight.clear();
        hello_due = Clock::now();
    }

    bool has_room() const noexcept { return in_flight.size() < config.window_frames; }

    void advance_to(uint64_t last_durable_sequence) {
        if (!in_flight.empty() && in_flight.front() <= last_durable_sequence) {
            last_progress = Clock::now();
        }
        while (!in_flight.empty() && in_flight.front() <= last_durable_sequence) {
            in_flight.pop_front();
        }
        acknowledged = std::max(acknowledged, last_durable_sequence);
    }

    void take_welcome(uint64_t last_durable_sequence) {
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
        hello_due = Clock::now() + kRefusedPause;
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
        zmq::message_t message;
        bool any = false;
        while (receive_now(socket, message)) {
            take_answer(message);
            any = true;
        }
        return any;
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
        hello_due = Clock::now() + (state == SenderState::refused ? kRefusedPause : kHelloPause);
        return true;
    }

    void reopen_if_silent() {
        if (state == SenderState::welcomed && !in_flight.empty() &&
            Clock::now() - last_progress > config.patience) {
            open();
        }
    }

    // While a hello is due but no connection takes it, the wait is for one.
    short events_to_wait_for() const {
        const bool wants_connection = state != SenderState::welcomed && Clock::now() >= hello_due;
        return wants_connection ? short{ZMQ_POLLIN | ZMQ_POLLOUT} : short{ZMQ_POLLIN};
    }

    Clock::time_point next_event(Clock::time_point deadline) const {
        if (state != SenderState::welcomed) {
            return hello_due > Clock::now() ? std::min(deadline, hello_due) : deadline;
        }
        return in_flight.empty() ? deadline : std::min(deadline, last_progress + config.patience);
    }

    SenderState turn(uint64_t first_held, std::chrono::milliseconds timeout) {
        const auto deadline = deadline_after(timeout);
        bool changed = take_answers();
        while (true) {
            reopen_if_silent();
            say_hello_if_due(first_held);
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
    static constexpr std::chrono::milliseconds kRefusedPause{5000};

    SenderConfig config;
    std::shared_ptr<zmq::context_t> zmq;
    zmq::socket_t socket;            // after the context, so that it is closed before
    std::deque<uint64_t> in_flight;  // last sequences of the frames not acknowledged
    SenderState state = SenderState::connecting;
    bool closed = false;  // the context is gone
    std::string refusal;
    Clock::time_point hello_due;
    Clock::time_point last_progress;
    uint64_t last_sent = 0;
    uint64_t acknowledged = 0;
    SenderCounters counters;
};

ChannelSender::ChannelSender(ChannelContext& context, const SenderConfig& config)
    : implementation_(std::make_unique<Implementation>(context, config)) {}

ChannelSender::~ChannelSender() = default;

SenderState ChannelSender::turn(uint64_t first_held, std::chrono::milliseconds timeout) {
    return implementation_->turn(first_held, timeout);
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
        self.open();
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

struct ChannelReceiver::Implementation {
    Implementation(ChannelContext& context, const std::string& endpoint)
        : zmq(context.implementation().zmq) {
        try {
            socket = zmq::socket_t(*zmq, zmq::socket_type::router);
            set_common(socket);
            socket.set(zmq::sockopt::rcvhwm, int{kMaximumWindowFrames} + kSpareMessages);
            socket.set(zmq::sockopt::sndhwm, int{kMaximumWindowFrames} + kSpareMessages);
            // Otherwise an answer to a peer that is gone would vanish without a word.
            socket.set(zmq::sockopt::router_mandatory, true);
        } catch (const zmq::error_t& error) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot open: {}", endpoint, error.what()));
        }
        bind(endpoint);
    }

    void bind(const std::string& endpoint) {
        require_free(endpoint);
        try {
            socket.bind(endpoint);
        } catch (const zmq::error_t& error) {
            const char* mend = error.num() == EADDRINUSE ? "; another process listens there"
                               : error.num() == EADDRNOTAVAIL
                                   ? "; no interface here has this address"
                               : error.num() == ENOENT ? "; its folder must exist"
                                                       : "";
            throw std::runtime_error(
                fmt::format("channel {}: cannot listen: {}{}", endpoint, error.what(), mend));
        }
    }

    // Reads one message: the peer's name, then the frame alone. False when there is none.
    bool take_message(std::optional<ReceivedFrame>& received) {
        zmq::message_t peer;
        if (!receive_now(socket, peer)) {
            return false;
        }
        zmq::message_t frame;
        size_t parts = 1;
        for (bool more = peer.more(); more; ++parts) {
            zmq::message_t part;
            if (!receive_now(socket, part)) {
                break;
            }
            more = part.more();
            if (parts == 1) {
                frame = std::move(part);
            }
        }
        FrameView view;
        if (parts != 2 || decode_frame(octets_of(frame), view) != FrameError::none ||
            view.frame_octets != frame.size() || view.header.kind == FrameKind::welcome ||
            view.header.kind == FrameKind::acknowledge || view.header.kind == FrameKind::refuse) {
            ++counters.frames_refused;
            return true;
        }
        ++counters.frames_received;
        received = ReceivedFrame{
            .peer = peer.to_string(), .octets = frame.to_string(), .header = view.header};
        return true;
    }

    bool answer(const std::string& peer, const FrameHeader& header, const std::string& body = {}) {
        zmq::message_t name(peer);
        zmq::message_t frame = message_of(frame_of(header, body));
        if (!send_now(socket, name, zmq::send_flags::sndmore) ||
            !send_now(socket, frame, zmq::send_flags::none)) {
            ++counters.answers_lost;
            return false;
        }
        return true;
    }

    std::shared_ptr<zmq::context_t> zmq;
    zmq::socket_t socket;  // after the context, so that it is closed before
    ReceiverCounters counters;
};

ChannelReceiver::ChannelReceiver(ChannelContext& context, const std::string& endpoint)
    : implementation_(std::make_unique<Implementation>(context, endpoint)) {}

ChannelReceiver::~ChannelReceiver() = default;

std::optional<ReceivedFrame> ChannelReceiver::receive(std::chrono::milliseconds timeout) {
    const auto deadline = deadline_after(timeout);
    std::optional<ReceivedFrame> received;
    while (!received) {
        const bool read_one = implementation_->take_message(received);
        if (!read_one && !wait_for(implementation_->socket, ZMQ_POLLIN, deadline)) {
            break;
        }
        if (read_one && !received && Clock::now() >= deadline) {
            break;
        }
    }
    return received;
}

void ChannelReceiver::bind(const std::string& endpoint) {
    implementation_->bind(endpoint);
}

bool ChannelReceiver::welcome(const ReceivedFrame& hello, uint64_t last_durable_sequence) {
    return implementation_->answer(hello.peer,
                                   {.kind = FrameKind::welcome,
                                    .probe_id = hello.header.probe_id,
                                    .epoch = hello.header.epoch,
                                    .first_sequence = last_durable_sequence});
}

bool ChannelReceiver::refuse(const ReceivedFrame& hello,
                             RefusalReason reason,
                             const std::string& sentence) {
    Refusal refusal;
    refusal.set_reason(reason);
    refusal.set_sentence(sentence);
    return implementation_->answer(
        hello.peer,
        {.kind = FrameKind::refuse, .probe_id = hello.header.probe_id, .epoch = hello.header.epoch},
        refusal.SerializeAsString());
}

bool ChannelReceiver::acknowledge(const std::string& peer,
                                  uint64_t probe_id,
                                  uint64_t epoch,
                                  uint64_t last_durable_sequence) {
    return implementation_->answer(peer,
                                   {.kind = FrameKind::acknowledge,
                                    .probe_id = probe_id,
                                    .epoch = epoch,
                                    .first_sequence = last_durable_sequence});
}

const ReceiverCounters& ChannelReceiver::counters() const noexcept {
    return implementation_->counters;
}

}  // namespace curlew::proto

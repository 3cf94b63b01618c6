#include "proto/channel.h"

#include <fmt/core.h>

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

// The string's own octets, given back to the heap when ZeroMQ has done with them.
zmq::message_t message_of(std::string&& octets) {
    auto held = std::make_unique<std::string>(std::move(octets));
    zmq::message_t message(
        held->data(),
        held->size(),
        [](void*, void* hint) { delete static_cast<std::string*>(hint); },
        held.get());
    static_cast<void>(held.release());
    return message;
}

std::string frame_without_body(const FrameHeader& header) {
    std::string frame;
    append_frame(header, {}, frame);
    return frame;
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

}  // namespace

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
        open();
    }

    // A new socket is a new peer to the collector: nothing of an earlier connection can arrive on
    // it. The high-water mark is above the window, so ZeroMQ never is what holds a frame back.
    void open() {
        try {
            socket = zmq::socket_t(*zmq, zmq::socket_type::dealer);
            socket.set(zmq::sockopt::linger, 0);
            socket.set(zmq::sockopt::immediate, true);
            socket.set(zmq::sockopt::maxmsgsize, kMaximumMessageOctets);
            socket.set(zmq::sockopt::sndhwm,
                       static_cast<int>(config.window_frames) + kSpareMessages);
            socket.set(zmq::sockopt::rcvhwm,
                       static_cast<int>(config.window_frames) + kSpareMessages);
            socket.connect(config.endpoint);
        } catch (const zmq::error_t& error) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot connect: {}", config.endpoint, error.what()));
        }
        welcomed = false;
        in_flight.clear();
    }

    bool has_room() const noexcept { return in_flight.size() < config.window_frames; }

    void advance_to(uint64_t last_durable_sequence) {
        while (!in_flight.empty() && in_flight.front() <= last_durable_sequence) {
            in_flight.pop_front();
        }
        acknowledged = std::max(acknowledged, last_durable_sequence);
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
        if (view.header.kind == FrameKind::welcome && !welcomed) {
            welcomed = true;
            acknowledged = last_durable_sequence;
            last_sent = last_durable_sequence;
            return;
        }
        // A second hello brings a second welcome, which then says no more than an acknowledgement.
        const bool expected =
            view.header.kind == FrameKind::acknowledge || view.header.kind == FrameKind::welcome;
        if (!welcomed || !expected || last_durable_sequence > last_sent) {
            ++counters.answers_refused;
            return;
        }
        advance_to(last_durable_sequence);
    }

    // Takes all answers that are there.
    void take_answers() {
        zmq::message_t message;
        while (receive_now(socket, message)) {
            take_answer(message);
        }
    }

    // Takes answers until `done` holds. False when no frame left the window for `timeout`.
    template <typename Condition>
    bool take_answers_until(Condition done, std::chrono::milliseconds timeout) {
        take_answers();
        auto deadline = deadline_after(timeout);
        while (!done()) {
            if (!wait_for(socket, ZMQ_POLLIN, deadline)) {
                return false;
            }
            const size_t before = in_flight.size();
            take_answers();
            if (in_flight.size() < before) {
                deadline = deadline_after(timeout);
            }
        }
        return true;
    }

    bool send_before(zmq::message_t& message, Clock::time_point deadline) {
        while (!send_now(socket, message, zmq::send_flags::none)) {
            if (Clock::now() >= deadline || !wait_for(socket, ZMQ_POLLOUT, deadline)) {
                return false;
            }
        }
        return true;
    }

    SenderConfig config;
    std::shared_ptr<zmq::context_t> zmq;
    zmq::socket_t socket;            // after the context, so that it is closed before
    std::deque<uint64_t> in_flight;  // last sequences of the frames not acknowledged
    bool welcomed = false;
    uint64_t last_sent = 0;
    uint64_t acknowledged = 0;
    SenderCounters counters;
};

ChannelSender::ChannelSender(ChannelContext& context, const SenderConfig& config)
    : implementation_(std::make_unique<Implementation>(context, config)) {}

ChannelSender::~ChannelSender() = default;

bool ChannelSender::connect(std::chrono::milliseconds timeout) {
    Implementation& self = *implementation_;
    if (self.welcomed) {
        self.open();
    }
    const auto deadline = deadline_after(timeout);
    zmq::message_t hello = message_of(frame_without_body(
        {.kind = FrameKind::hello, .probe_id = self.config.probe_id, .epoch = self.config.epoch}));
    if (!self.send_before(hello, deadline)) {
        return false;
    }
    return self.take_answers_until([&self] { return self.welcomed; }, timeout);
}

bool ChannelSender::send(std::string&& frame,
                         uint64_t last_sequence,
                         std::chrono::milliseconds timeout) {
    Implementation& self = *implementation_;
    assert(self.welcomed);
    assert(last_sequence > self.last_sent);
    if (!self.take_answers_until([&self] { return self.has_room(); }, timeout)) {
        return false;
    }
    // Asked before the frame is moved into a message, which cannot be undone.
    if (!wait_for(self.socket, ZMQ_POLLOUT, deadline_after(timeout))) {
        return false;
    }
    zmq::message_t message = message_of(std::move(frame));
    const bool sent = send_now(self.socket, message, zmq::send_flags::none);
    if (!sent) {
        frame.assign(message.data<char>(), message.size());
        return false;
    }
    ++self.counters.frames_sent;
    self.last_sent = last_sequence;
    self.in_flight.push_back(last_sequence);
    return true;
}

bool ChannelSender::drain(std::chrono::milliseconds timeout) {
    Implementation& self = *implementation_;
    return self.take_answers_until([&self] { return self.in_flight.empty(); }, timeout);
}

uint64_t ChannelSender::last_acknowledged() const noexcept {
    return implementation_->acknowledged;
}

const SenderCounters& ChannelSender::counters() const noexcept {
    return implementation_->counters;
}

struct ChannelReceiver::Implementation {
    Implementation(ChannelContext& context, const std::string& endpoint)
        : zmq(context.implementation().zmq) {
        try {
            socket = zmq::socket_t(*zmq, zmq::socket_type::router);
            socket.set(zmq::sockopt::linger, 0);
            socket.set(zmq::sockopt::maxmsgsize, kMaximumMessageOctets);
            socket.set(zmq::sockopt::rcvhwm, int{kMaximumWindowFrames} + kSpareMessages);
            socket.set(zmq::sockopt::sndhwm, int{kMaximumWindowFrames} + kSpareMessages);
            // Otherwise an answer to a peer that is gone would vanish without a word.
            socket.set(zmq::sockopt::router_mandatory, true);
            socket.bind(endpoint);
        } catch (const zmq::error_t& error) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot bind: {}", endpoint, error.what()));
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
            view.header.kind == FrameKind::acknowledge) {
            ++counters.frames_refused;
            return true;
        }
        ++counters.frames_received;
        received = ReceivedFrame{
            .peer = peer.to_string(), .octets = frame.to_string(), .header = view.header};
        return true;
    }

    void answer(const std::string& peer, const FrameHeader& header) {
        zmq::message_t name(peer);
        zmq::message_t frame = message_of(frame_without_body(header));
        if (!send_now(socket, name, zmq::send_flags::sndmore) ||
            !send_now(socket, frame, zmq::send_flags::none)) {
            ++counters.answers_lost;
        }
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

void ChannelReceiver::welcome(const ReceivedFrame& hello, uint64_t last_durable_sequence) {
    implementation_->answer(hello.peer,
                            {.kind = FrameKind::welcome,
                             .probe_id = hello.header.probe_id,
                             .epoch = hello.header.epoch,
                             .first_sequence = last_durable_sequence});
}

void ChannelReceiver::acknowledge(const std::string& peer,
                                  uint64_t probe_id,
                                  uint64_t epoch,
                                  uint64_t last_durable_sequence) {
    implementation_->answer(peer,
                            {.kind = FrameKind::acknowledge,
                             .probe_id = probe_id,
                             .epoch = epoch,
                             .first_sequence = last_durable_sequence});
}

const ReceiverCounters& ChannelReceiver::counters() const noexcept {
    return implementation_->counters;
}

}  // namespace curlew::proto

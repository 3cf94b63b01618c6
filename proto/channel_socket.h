#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <zmq.hpp>

#include "proto/channel.h"
#include "proto/frame.h"

// What both ends of the channel do with a ZeroMQ socket. Theirs alone: others see proto/channel.h.

namespace curlew::proto {

using ChannelClock = std::chrono::steady_clock;

// What may lie in a queue beside the frames of a window: hellos said while no collector was there.
inline constexpr int kSpareMessages = 16;

// Who has not shown a key by then is turned away: with more patience, silent connections take every
// descriptor. A handshake takes three round trips, of which one over a satellite is 0.6 s.
inline constexpr std::chrono::milliseconds kHandshakeTimeout{5000};

// Each end holds the ZeroMQ context too, so that it is terminated when the last socket is closed;
// terminating it earlier would wait for that.
struct ChannelContext::Implementation {
    std::shared_ptr<zmq::context_t> zmq = std::make_shared<zmq::context_t>();
};

// Any wait is cut so that no sum with the clock overflows.
ChannelClock::time_point deadline_after(std::chrono::milliseconds timeout);

std::span<const uint8_t> octets_of(const zmq::message_t& message) noexcept;

// The frame's own octets; ZeroMQ lets go of its share when it has done with them.
zmq::message_t message_of(std::shared_ptr<const std::string> octets);
zmq::message_t message_of(std::string&& octets);

std::string frame_of(const FrameHeader& header, const std::string& body = {});

bool is_tcp(const std::string& endpoint) noexcept;
// What ipc endpoints begin with, before the path.
inline constexpr std::string_view kIpc = "ipc://";

// What both ends want of a connection: a dead or silent peer is noticed, an honest one is waited
// for.
void set_common(zmq::socket_t& socket);

// Of what is bound or connected next. Off where the system tells at once who is gone.
void set_heartbeats(zmq::socket_t& socket, bool on);

// A part of a message with its flags, its length, and what encryption adds (RFC 23, 26).
uint64_t octets_on_wire(size_t part_octets, bool with_keys) noexcept;

// ZeroMQ reads a message longer than our longest frame only to refuse it; without this bound it
// would believe any length, also of a peer that has not shown its key yet. For what is bound or
// connected next.
void set_bound(zmq::socket_t& socket, bool with_keys);

// No news of the socket from now on. ZeroMQ's own thread waits for ever for a reader of news that
// is gone: to be called before the socket or its reader is closed.
void stop_news(zmq::socket_t& socket) noexcept;

// Waits until one of `events` holds. False at the deadline, or when the context was closed.
bool wait_for(zmq::socket_ref socket, short events, ChannelClock::time_point deadline);

// False when there is nothing to read now, or the context was closed.
bool receive_now(zmq::socket_t& socket, zmq::message_t& message);

// False when the message could not be sent now: queue full, peer gone, or the context was closed.
bool send_now(zmq::socket_t& socket, zmq::message_t& message, zmq::send_flags flags);

}  // namespace curlew::proto

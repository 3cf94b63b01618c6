#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "proto/channel_socket.h"
#include "proto/descriptor_limit.h"

namespace curlew::proto {
namespace {

// What encryption adds to a message: name, nonce, check, flags (RFC 26).
constexpr int64_t kCurveOctets = 8 + 8 + 16 + 1;
// Stands for any longer wait, so that no sum with the clock overflows.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24 * 365);

}  // namespace

ChannelClock::time_point deadline_after(std::chrono::milliseconds timeout) {
    return ChannelClock::now() + std::min(timeout, kLongestWait);
}

std::span<const uint8_t> octets_of(const zmq::message_t& message) noexcept {
    return {message.data<uint8_t>(), message.size()};
}

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

std::string frame_of(const FrameHeader& header, const std::string& body) {
    std::string frame;
    append_frame(header, {reinterpret_cast<const uint8_t*>(body.data()), body.size()}, frame);
    return frame;
}

uint64_t octets_on_wire(size_t part_octets, bool with_keys) noexcept {
    const uint64_t octets = part_octets + (with_keys ? kCurveOctets : 0);
    return octets + (octets > 255 ? 9 : 2);
}

void set_bound(zmq::socket_t& socket, bool with_keys) {
    constexpr int64_t kLongest = kFrameHeaderOctets + kMaximumFrameBodyOctets;
    socket.set(zmq::sockopt::maxmsgsize, kLongest + (with_keys ? kCurveOctets : 0));
}

void set_heartbeats(zmq::socket_t& socket, bool on) {
    // ZeroMQ counts whole messages as signs of life, and the longest frame takes a slow line so
    // long.
    constexpr int kHeartbeatMs = 1000;
    constexpr int kHeartbeatTimeoutMs = 30'000;
    socket.set(zmq::sockopt::heartbeat_ivl, on ? kHeartbeatMs : 0);
    socket.set(zmq::sockopt::heartbeat_timeout, on ? kHeartbeatTimeoutMs : 0);
    socket.set(zmq::sockopt::heartbeat_ttl, on ? kHeartbeatTimeoutMs : 0);
}

void set_common(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::handshake_ivl, static_cast<int>(kHandshakeTimeout.count()));
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::ipv6, true);
}

void stop_news(zmq::socket_t& socket) noexcept {
    if (socket.handle() != nullptr) {
        // It fails when the context was closed, and then nothing waits.
        static_cast<void>(zmq_socket_monitor(socket.handle(), nullptr, 0));
    }
}

bool wait_for(zmq::socket_ref socket, short events, ChannelClock::time_point deadline) {
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - ChannelClock::now());
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
        if (ChannelClock::now() >= deadline) {
            return false;
        }
    }
}

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

bool is_tcp(const std::string& endpoint) noexcept {
    return endpoint.starts_with("tcp://");
}

FrameView ReceivedFrame::view() const noexcept {
    const std::span all(reinterpret_cast<const uint8_t*>(octets.data()), octets.size());
    return {
        .header = header, .body = all.subspan(kFrameHeaderOctets), .frame_octets = octets.size()};
}

ChannelContext::ChannelContext() {
    // ZeroMQ ends the process when its own threads get none.
    constexpr uint64_t kLeastDescriptors = 32;
    if (const uint64_t limit = descriptor_limit(); limit < kLeastDescriptors) {
        throw std::runtime_error(
            fmt::format("channel: this process may open {} files, it needs {} at least (ulimit -n)",
                        limit,
                        kLeastDescriptors));
    }
    implementation_ = std::make_unique<Implementation>();
}

ChannelContext::~ChannelContext() {
    implementation_->zmq->shutdown();
}

}  // namespace curlew::proto

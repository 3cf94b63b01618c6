#include "proto/doorkeeper.h"

#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <utility>

// Stands before the C library's, for all of the process. Over ipc ZeroMQ 4.3.4 ends the process
// when an accept fails for want of descriptors or memory (ipc_listener, errno_assert); that the
// whole system has none left it takes for what may pass, and that is what it is told.
extern "C" int accept4(int socket, sockaddr* address, socklen_t* octets, int flags) {
    const long connection = ::syscall(SYS_accept4, socket, address, octets, flags);
    if (connection < 0 && (errno == EMFILE || errno == ENOBUFS || errno == ENOMEM)) {
        const int error = errno;
        sockaddr_storage own{};
        socklen_t size = sizeof(own);
        const bool is_ipc = ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                            own.ss_family == AF_UNIX;
        errno = is_ipc ? ENFILE : error;
    }
    return static_cast<int>(connection);
}

namespace curlew::proto {
namespace {

constexpr const char* kQuestions = "inproc://zeromq.zap.01";
constexpr size_t kCurveKeyOctets = 32;

// A question of RFC 27: version, request, domain, address, routing id, mechanism, key.
constexpr size_t kQuestionParts = 7;
constexpr size_t kRequestPart = 1;
constexpr size_t kMechanismPart = 5;
constexpr size_t kKeyPart = 6;

// How often connections are looked at.
constexpr std::chrono::milliseconds kRound{100};
// Of one connection, read by ZeroMQ and not taken: twice the window of a probe, of longest frames.
constexpr uint64_t kMostWaitingOctets = uint64_t{2} * 64 * (kMaximumFrameBodyOctets + 1024);
// What no message shows: handshake and heartbeats.
constexpr uint64_t kOctetsBesideASecond = 4096;

// What ZeroMQ has read of a connection since it stands; 0 when it is none any more.
uint64_t octets_read(int connection) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    int unread = 0;
    if (::getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received) ||
        ::ioctl(connection, FIONREAD, &unread) != 0) {
        return 0;
    }
    return info.tcpi_bytes_received - std::min<uint64_t>(info.tcpi_bytes_received, unread);
}

bool is_over_tcp(const sockaddr_storage& address) {
    return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

// Empty when it is no key.
std::string key_text(const zmq::message_t& octets) {
    std::array<char, 41> text;
    if (octets.size() != kCurveKeyOctets ||
        zmq_z85_encode(text.data(), octets.data<uint8_t>(), octets.size()) == nullptr) {
        return {};
    }
    return text.data();
}

}  // namespace

Doorkeeper::Doorkeeper(std::shared_ptr<zmq::context_t> zmq,
                       zmq::socket_t& router,
                       size_t maximum_connections)
    : zmq_(std::move(zmq)),
      end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      maximum_connections_(maximum_connections) {
    try {
        questions_ = zmq::socket_t(*zmq_, zmq::socket_type::rep);
        questions_.set(zmq::sockopt::linger, 0);
        questions_.bind(kQuestions);
        // The one before may not be quite closed yet: each has its own name.
        static std::atomic<uint64_t> count = 0;
        const std::string events = fmt::format("inproc://doorkeeper-events-{}", ++count);
        // No news of failed accepts: without descriptors these never end.
        constexpr int kNews =
            ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        if (zmq_socket_monitor(router.handle(), events.c_str(), kNews) != 0) {
            throw zmq::error_t();
        }
        events_ = zmq::socket_t(*zmq_, zmq::socket_type::pair);
        events_.set(zmq::sockopt::linger, 0);
        // A bounded queue of news would make ZeroMQ's own thread wait for this one.
        events_.set(zmq::sockopt::rcvhwm, 0);
        events_.connect(events);
    } catch (const zmq::error_t& error) {
        throw std::runtime_error(
            fmt::format("channel: nobody can be asked whose key may come in: {}", error.what()));
    }
    if (end_.get() < 0) {
        throw std::runtime_error("channel: the system has no descriptor left");
    }
    thread_ = std::thread([this] { run(); });
}

Doorkeeper::~Doorkeeper() {
    const uint64_t one = 1;
    const ssize_t written = ::write(end_.get(), &one, sizeof(one));
    assert(written == sizeof(one));
    thread_.join();
    try {
        // At once, and not when ZeroMQ gets round to it: another may be made.
        questions_.unbind(kQuestions);
    } catch (const zmq::error_t&) {
        // The context was closed, and its places with it.
    }
}

void Doorkeeper::allow(const std::vector<AllowedKey>& keys) {
    std::unordered_map<std::string, KeyOwner> owners;
    for (const AllowedKey& key : keys) {
        owners.emplace(key.public_key, key.owner);
    }
    const std::lock_guard lock(mutex_);
    owners_ = std::move(owners);
}

std::optional<KeyOwner> Doorkeeper::owner_of(std::string_view public_key) const {
    const std::lock_guard lock(mutex_);
    const auto found = owners_.find(std::string(public_key));
    return found == owners_.end() ? std::nullopt : std::optional(found->second);
}

// ZeroMQ does not tell of every peer that it turns away, so those count that were accepted and
// never came to the end of their handshake. What may still do so counts later.
RefusedConnections Doorkeeper::refused() const {
    const std::lock_guard lock(mutex_);
    const auto young_since = ChannelClock::now() - 2 * kHandshakeTimeout;
    const auto young = static_cast<uint64_t>(
        std::count_if(connections_.begin(), connections_.end(), [&](const auto& connection) {
            return connection.second.since > young_since;
        }));
    const uint64_t accounted = handshakes_done_ + keys_unknown_ + over_bound_ + young;
    // Who is young may be accounted for already: what was told stays.
    failed_told_ =
        std::max(failed_told_, accepted_ > accounted ? accepted_ - accounted : uint64_t{0});
    return {.keys_unknown = keys_unknown_,
            .handshakes_failed = failed_told_,
            .connections_over_bound = over_bound_,
            .connections_without_measure = without_measure_};
}

void Doorkeeper::run() {
    std::array<zmq::pollitem_t, 3> items = {{{questions_.handle(), 0, ZMQ_POLLIN, 0},
                                             {events_.handle(), 0, ZMQ_POLLIN, 0},
                                             {nullptr, end_.get(), ZMQ_POLLIN, 0}}};
    while (items[2].revents == 0) {
        try {
            zmq::poll(items.data(), items.size(), kRound);
        } catch (const zmq::error_t& error) {
            if (error.num() != EINTR) {
                return;  // the context was closed
            }
            continue;
        }
        cut_who_fills_memory();
        if (items[0].revents != 0) {
            answer_question();
        }
        if (items[1].revents != 0) {
            take_events();
        }
    }
}

void Doorkeeper::answer_question() {
    std::array<zmq::message_t, kQuestionParts> parts;
    size_t count = 0;
    for (bool more = true; more; ++count) {
        zmq::message_t part;
        if (!receive_now(questions_, part)) {
            return;
        }
        more = part.more();
        if (count < parts.size()) {
            parts[count] = std::move(part);
        }
    }
    const std::string key = count == kQuestionParts && parts[kMechanismPart].to_string() == "CURVE"
                                ? key_text(parts[kKeyPart])
                                : std::string();
    const bool allowed = owner_of(key).has_value();
    if (!allowed) {
        const std::lock_guard lock(mutex_);
        ++keys_unknown_;
    }
    // The key becomes the peer's user, which ZeroMQ fastens to each of its messages.
    std::array<zmq::message_t, 6> answer = {
        zmq::message_t(std::string_view("1.0")),
        std::move(parts[kRequestPart]),
        zmq::message_t(std::string_view(allowed ? "200" : "400")),
        zmq::message_t(std::string_view(allowed ? "OK" : "this key is not allowed")),
        zmq::message_t(allowed ? key : std::string()),
        zmq::message_t()};
    for (size_t i = 0; i < answer.size(); ++i) {
        const bool last = i + 1 == answer.size();
        if (!send_now(
                questions_, answer[i], last ? zmq::send_flags::none : zmq::send_flags::sndmore)) {
            return;
        }
    }
}

// Each is two messages: number and value, then the endpoint that was bound.
void Doorkeeper::take_events() {
    zmq::message_t event;
    zmq::message_t endpoint;
    while (receive_now(events_, event) && receive_now(events_, endpoint)) {
        uint16_t number = 0;
        int32_t value = 0;
        if (event.size() != sizeof(number) + sizeof(value)) {
            continue;
        }
        std::memcpy(&number, event.data(), sizeof(number));
        std::memcpy(&value, event.data<uint8_t>() + sizeof(number), sizeof(value));
        const std::lock_guard lock(mutex_);
        switch (number) {
            case ZMQ_EVENT_ACCEPTED:
                take_accepted(value, is_tcp(endpoint.to_string()));
                break;
            case ZMQ_EVENT_DISCONNECTED:
                connections_.erase(value);
                break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                ++handshakes_done_;
                break;
            default:
                break;
        }
    }
}

// ZeroMQ has no bound on connections, and each has a descriptor and buffers before anybody proved
// anything. One too many is shut, not closed: closing stays ZeroMQ's, which sees it as the peer's
// end. By now the number may be another descriptor's; at worst that is a newer socket of its kind,
// whose peer makes it anew.
void Doorkeeper::take_accepted(int connection, bool over_tcp) {
    ++accepted_;
    connections_[connection] = {.since = ChannelClock::now(), .over_tcp = over_tcp};
    const auto alike =
        std::count_if(connections_.begin(), connections_.end(), [&](const auto& other) {
            return other.second.over_tcp == over_tcp;
        });
    if (static_cast<size_t>(alike) <= maximum_connections_) {
        return;
    }
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(connection, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        (over_tcp ? is_over_tcp(address) : address.ss_family == AF_UNIX)) {
        ::shutdown(connection, SHUT_RDWR);
    }
    ++over_bound_;
}

void Doorkeeper::taken(int connection, uint64_t octets) {
    const std::lock_guard lock(mutex_);
    if (const auto found = connections_.find(connection); found != connections_.end()) {
        found->second.taken += octets;
    }
}

// A probe has a window of frames on their way and waits. Who sends on, or sends a message of ever
// more parts, would fill the memory: ZeroMQ bounds no message of many parts. Its bound on messages
// that wait is not used: a peer that goes while it is held back makes ZeroMQ 4.3.4 end the process
// by an assertion (stream_engine_base, !_io_error) when a heartbeat is due.
void Doorkeeper::cut_who_fills_memory() {
    const std::lock_guard lock(mutex_);
    const auto now = ChannelClock::now();
    for (auto& [descriptor, connection] : connections_) {
        const uint64_t read = octets_read(descriptor);
        // Descriptors come again, and what is taken may be of the one before.
        connection.taken = std::min(connection.taken, read);
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - connection.since);
        const uint64_t beside = kOctetsBesideASecond * (1 + static_cast<uint64_t>(age.count()));
        if (read - connection.taken > kMostWaitingOctets + beside) {
            ::shutdown(descriptor, SHUT_RDWR);
            connection.taken = read;
            ++without_measure_;
        }
    }
}

}  // namespace curlew::proto

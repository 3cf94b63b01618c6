#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "proto/channel_socket.h"
#include "proto/descriptor_limit.h"
#include "proto/doorkeeper.h"

namespace curlew::proto {
namespace {

using Clock = ChannelClock;

// Of this process' descriptors connections of one kind may have one in so many: files need some,
// and ZeroMQ takes a connection before the doorkeeper sees that it is one too many.
constexpr uint64_t kDoorShare = 4;
// Frames of one peer that are read and not taken: more than a probe has on their way.
constexpr int kMostWaitingOverIpc = 64 + kSpareMessages;

// ZeroMQ takes a path over from whoever listens there, without a word; a socket file whose owner is
// dead may be taken, a living one's may not.
void require_free(const std::string& endpoint) {
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
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) == 0 && !S_ISSOCK(facts.st_mode)) {
        throw std::runtime_error(fmt::format(
            "channel {}: cannot listen: a file that is no socket stands there; remove it, or take "
            "another path",
            endpoint));
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

// Which file an ipc endpoint's socket is. Nothing: it has none there.
std::optional<std::pair<dev_t, ino_t>> place_of(const std::string& endpoint) {
    struct stat facts {};
    const bool has_file =
        endpoint.starts_with(kIpc) && ::lstat(endpoint.substr(kIpc.size()).c_str(), &facts) == 0;
    return has_file ? std::optional(std::pair(facts.st_dev, facts.st_ino)) : std::nullopt;
}

// Of a connection that is gone it cannot be told any more: what it sent comes again.
bool came_by_tcp(int connection) {
    sockaddr_storage own{};
    socklen_t octets = sizeof(own);
    return connection >= 0 &&
           (::getsockname(connection, reinterpret_cast<sockaddr*>(&own), &octets) != 0 ||
            own.ss_family != AF_UNIX);
}

}  // namespace

struct ChannelReceiver::Implementation {
    Implementation(ChannelContext& context,
                   const std::string& endpoint,
                   const ReceiverConfig& receiver_config)
        : config(receiver_config), zmq(context.implementation().zmq) {
        try {
            socket = zmq::socket_t(*zmq, zmq::socket_type::router);
            set_common(socket);
            socket.set(zmq::sockopt::sndhwm, int{kMaximumWindowFrames} + kSpareMessages);
            // Otherwise an answer to a peer that is gone would vanish without a word.
            socket.set(zmq::sockopt::router_mandatory, true);
        } catch (const zmq::error_t& error) {
            throw std::runtime_error(
                fmt::format("channel {}: cannot open: {}", endpoint, error.what()));
        }
        bind(endpoint);
    }

    ~Implementation() { stop_news(socket); }
    Implementation(const Implementation&) = delete;
    Implementation& operator=(const Implementation&) = delete;

    // For the next bind only: ZeroMQ takes it over into what it binds.
    void set_up_for(const std::string& endpoint) {
        const bool with_keys = is_tcp(endpoint) && config.keys.has_value();
        if (is_tcp(endpoint) && !with_keys && !config.insecure) {
            throw std::runtime_error(fmt::format(
                "channel {}: cannot listen without keys: anybody could send records", endpoint));
        }
        const bool is_open = is_tcp(endpoint) || endpoint.starts_with(kIpc);
        if (is_open && doorkeeper == nullptr) {
            doorkeeper = std::make_unique<Doorkeeper>(
                zmq,
                socket,
                std::min<size_t>(config.maximum_connections, descriptor_limit() / kDoorShare));
            doorkeeper->allow(config.allowed);
        }
        // Over ipc who does not wait is made to, by ZeroMQ's bound on what waits. Over tcp the
        // doorkeeper has one, and says why not this.
        socket.set(zmq::sockopt::rcvhwm, endpoint.starts_with(kIpc) ? kMostWaitingOverIpc : 0);
        set_heartbeats(socket, is_tcp(endpoint));
        set_bound(socket, with_keys);
        socket.set(zmq::sockopt::curve_server, with_keys);
        if (with_keys) {
            socket.set(zmq::sockopt::curve_secretkey, config.keys->secret_key);
        }
    }

    void bind(const std::string& endpoint) {
        require_free(endpoint);
        try {
            set_up_for(endpoint);
            socket.bind(endpoint);
            if (const auto place = place_of(endpoint)) {
                places[endpoint] = *place;
            }
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
        std::string key;
        int connection = -1;
        uint64_t octets = 0;
        size_t parts = 1;
        for (bool more = peer.more(); more; ++parts) {
            zmq::message_t part;
            if (!receive_now(socket, part)) {
                break;
            }
            more = part.more();
            // ZeroMQ's word for what the door said of the peer; none without keys. It is fastened
            // to what came over the wire, not always to the peer's name.
            const char* const user = zmq_msg_gets(part.handle(), "User-Id");
            octets += octets_on_wire(part.size(), user != nullptr);
            if (parts == 1) {
                key = user == nullptr ? "" : user;
                connection = zmq_msg_get(part.handle(), ZMQ_SRCFD);
                frame = std::move(part);
            }
        }
        if (doorkeeper != nullptr) {
            doorkeeper->taken(connection, octets);
        }
        FrameView view;
        if (parts != 2 || decode_frame(octets_of(frame), view) != FrameError::none ||
            view.frame_octets != frame.size() || view.header.kind == FrameKind::welcome ||
            view.header.kind == FrameKind::acknowledge || view.header.kind == FrameKind::refuse) {
            ++counters.frames_refused;
            return true;
        }
        // Without a key only who came by a way that has none.
        if (key.empty() && config.keys && came_by_tcp(connection)) {
            ++counters.frames_of_unknown_keys;
            return true;
        }
        std::optional<KeyOwner> owner;
        if (!key.empty()) {
            owner = doorkeeper->owner_of(key);
            if (!owner) {
                ++counters.frames_of_unknown_keys;
                return true;
            }
        }
        ++counters.frames_received;
        received = ReceivedFrame{.peer = peer.to_string(),
                                 .octets = frame.to_string(),
                                 .header = view.header,
                                 .owner = std::move(owner)};
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

    const ReceiverConfig config;
    std::shared_ptr<zmq::context_t> zmq;
    std::unique_ptr<Doorkeeper> doorkeeper;  // but for inproc alone; goes after the socket
    zmq::socket_t socket;                    // after the context, so that it is closed before
    ReceiverCounters counters;
    std::map<std::string, std::pair<dev_t, ino_t>> places;  // of sockets that are files
};

ChannelReceiver::ChannelReceiver(ChannelContext& context,
                                 const std::string& endpoint,
                                 const ReceiverConfig& config)
    : implementation_(std::make_unique<Implementation>(context, endpoint, config)) {}

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

std::string ChannelReceiver::lost_endpoint() const {
    for (const auto& [endpoint, place] : implementation_->places) {
        if (place_of(endpoint) != place) {
            return endpoint;
        }
    }
    return "";
}

std::string ChannelReceiver::last_endpoint() const {
    return implementation_->socket.get(zmq::sockopt::last_endpoint);
}

void ChannelReceiver::allow(const std::vector<AllowedKey>& keys) {
    if (implementation_->doorkeeper != nullptr) {
        implementation_->doorkeeper->allow(keys);
    }
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

ReceiverCounters ChannelReceiver::counters() const {
    ReceiverCounters counters = implementation_->counters;
    if (implementation_->doorkeeper != nullptr) {
        counters.connections = implementation_->doorkeeper->refused();
    }
    return counters;
}

}  // namespace curlew::proto

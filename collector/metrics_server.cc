#include "collector/metrics_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

#include "collector/metrics.h"

namespace curlew::collector {
namespace {

using std::chrono::milliseconds;

constexpr int kBacklog = 1024;
// Of one turn, so that who came before is served between them.
constexpr size_t kAcceptedAtOnce = 4;
static_assert(kAcceptedAtOnce < MetricsServer::kMaximumConnections);
// After the system had no descriptor left.
constexpr milliseconds kPause{100};
constexpr int kUnavailable = 503;

[[noreturn]] void cannot_listen(const ListenAddress& address) {
    throw std::runtime_error(
        fmt::format("cannot serve metrics at {}: {}", address.text, std::strerror(errno)));
}

FileDescriptor listen_at(const ListenAddress& address) {
    const int on = 1;
    FileDescriptor listener(
        ::socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (listener.get() < 0 ||
        ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        cannot_listen(address);
    }
    // [::] is no IPv4 address.
    if (address.address.ss_family == AF_INET6 &&
        ::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
        cannot_listen(address);
    }
    if (::bind(listener.get(),
               reinterpret_cast<const sockaddr*>(&address.address),
               address.octets) != 0 ||
        ::listen(listener.get(), kBacklog) != 0) {
        cannot_listen(address);
    }
    return listener;
}

FileDescriptor event(const ListenAddress& address) {
    FileDescriptor result(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (result.get() < 0) {
        cannot_listen(address);
    }
    return result;
}

}  // namespace

MetricsServer::MetricsServer(const ListenAddress& address, std::string version)
    : version_(std::move(version)),
      listener_(listen_at(address)),
      end_(event(address)),
      pages_(*this),
      thread_([this] { run(); }) {}

MetricsServer::~MetricsServer() {
    const uint64_t one = 1;
    while (::write(end_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_.join();
}

void MetricsServer::publish(const LiveStatus& status) {
    auto next = std::make_shared<const Published>(Published{status, Clock::now()});
    const std::lock_guard lock(mutex_);
    published_.swap(next);
}

std::shared_ptr<const MetricsServer::Published> MetricsServer::published() const {
    const std::lock_guard lock(mutex_);
    return published_;
}

Page MetricsServer::metrics() {
    auto latest = published();
    if (latest == nullptr) {
        return {kUnavailable, "not ready\n"};
    }
    if (latest != rendered_) {
        text_ = render_metrics(latest->status, {version_, resident_octets()});
        rendered_ = std::move(latest);
    }
    return {.body = text_};
}

Page MetricsServer::health() {
    const auto latest = published();
    if (latest == nullptr) {
        return {kUnavailable, "not ready\n"};
    }
    if (Clock::now() - latest->at > kFresh) {
        return {kUnavailable, "the collector hangs\n"};
    }
    if (!latest->status.intake_trouble.empty()) {
        return {kUnavailable, "records are not taken\n"};
    }
    return {.body = "ready\n"};
}

int MetricsServer::milliseconds_to_wait() const {
    const Clock::time_point now = Clock::now();
    Clock::time_point until = now + kPatience;
    if (accepts_from_ > now) {
        until = std::min(until, accepts_from_);
    }
    for (const Connection& connection : connections_) {
        until = std::min(until, connection.deadline);
    }
    const auto left = std::chrono::ceil<milliseconds>(until - now);
    return static_cast<int>(std::max(left, milliseconds(0)).count());
}

void MetricsServer::run() {
    std::vector<pollfd> asked;
    for (;;) {
        const bool accepts = Clock::now() >= accepts_from_;
        asked.assign({{end_.get(), POLLIN, 0}, {accepts ? listener_.get() : -1, POLLIN, 0}});
        for (const Connection& connection : connections_) {
            const bool sends = !connection.answer.empty();
            asked.push_back(
                {connection.socket.get(), static_cast<short>(sends ? POLLOUT : POLLIN), 0});
        }
        if (::poll(asked.data(), asked.size(), milliseconds_to_wait()) < 0) {
            continue;
        }
        if (asked[0].revents != 0) {
            return;
        }
        auto its = asked.begin() + 2;
        for (auto next = connections_.begin(); next != connections_.end();) {
            const auto connection = next++;
            const bool is_ready = (its++)->revents != 0;
            if (Clock::now() >= connection->deadline || (is_ready && !serve(*connection))) {
                connections_.erase(connection);
            }
        }
        if (asked[1].revents != 0) {
            accept_some();
        }
    }
}

void MetricsServer::accept_some() {
    for (size_t i = 0; i < kAcceptedAtOnce; ++i) {
        FileDescriptor socket(
            ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket.get() < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                accepts_from_ = Clock::now() + kPause;
            }
            return;
        }
        if (connections_.size() == kMaximumConnections) {
            connections_.pop_front();
        }
        connections_.push_back({.socket = std::move(socket), .deadline = Clock::now() + kPatience});
        // A request is mostly there by now.
        if (!serve(connections_.back())) {
            connections_.pop_back();
        }
    }
}

// False: it is over.
bool MetricsServer::serve(Connection& connection) {
    if (connection.answer.empty() && !receive(connection)) {
        return false;
    }
    return connection.answer.empty() || send(connection);
}

bool MetricsServer::receive(Connection& connection) {
    std::array<char, kMaximumRequestOctets> octets;
    const size_t room = kMaximumRequestOctets - connection.request.size();
    const ssize_t taken = ::recv(connection.socket.get(), octets.data(), room, 0);
    if (taken <= 0) {
        return taken < 0 && (errno == EAGAIN || errno == EINTR);
    }
    connection.request.append(octets.data(), static_cast<size_t>(taken));
    if (connection.request.find("\r\n\r\n") == std::string::npos) {
        return connection.request.size() < kMaximumRequestOctets;
    }
    connection.answer = pages_.answer(
        std::string_view(connection.request).substr(0, connection.request.find('\r')));
    return !connection.answer.empty();
}

bool MetricsServer::send(Connection& connection) {
    const std::string_view left = std::string_view(connection.answer).substr(connection.sent);
    const ssize_t sent = ::send(connection.socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    connection.sent += static_cast<size_t>(sent);
    return connection.sent < connection.answer.size();
}

}  // namespace curlew::collector

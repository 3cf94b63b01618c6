#include "proto/service_manager.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace curlew::proto {

namespace {

constexpr int kKeepEnvironment = 0;

// How long one message may wait for a manager that has not read the ones before.
enum class Patience : uint8_t {
    none,    // what is said again soon
    second,  // what is said once
};

// Without a manager, or with one that is gone, there is nobody to tell. sd_notify(3) would wait for
// ever where nobody reads, as behind a container runtime that hands on its own socket: so the
// datagram that it describes is sent here.
void notify(std::string_view state, Patience patience) {
    const char* const place = std::getenv("NOTIFY_SOCKET");
    const std::string_view path = place != nullptr ? place : "";
    sockaddr_un address{};
    if ((!path.starts_with('/') && !path.starts_with('@')) ||
        path.size() > sizeof(address.sun_path)) {
        return;
    }
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';  // in the abstract name space, see unix(7)
    }
    const int channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (channel < 0) {
        return;
    }
    const timeval longest{.tv_sec = 1, .tv_usec = 0};
    setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
    static_cast<void>(sendto(channel,
                             state.data(),
                             state.size(),
                             MSG_NOSIGNAL | (patience == Patience::none ? MSG_DONTWAIT : 0),
                             reinterpret_cast<const sockaddr*>(&address),
                             offsetof(sockaddr_un, sun_path) + path.size()));
    close(channel);
}

}  // namespace

void notify_ready() {
    notify("READY=1", Patience::second);
}

void notify_status(const std::string& sentence) {
    notify("STATUS=" + sentence.substr(0, sentence.find('\n')), Patience::none);
}

void notify_reloading() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto micros =
        static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(micros), Patience::second);
}

void notify_stopping() {
    notify("STOPPING=1", Patience::second);
}

void notify_alive() {
    notify("WATCHDOG=1", Patience::none);
}

std::chrono::microseconds watchdog_interval() {
    uint64_t patience_us = 0;
    if (sd_watchdog_enabled(kKeepEnvironment, &patience_us) <= 0) {
        return std::chrono::microseconds(0);
    }
    return std::chrono::microseconds(patience_us / 2);
}

}  // namespace curlew::proto

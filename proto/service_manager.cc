#include "proto/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>

namespace curlew::proto {

namespace {

constexpr int kKeepEnvironment = 0;

// Without a manager, or with one that is gone, there is nobody to tell.
void notify(const std::string& state) {
    static_cast<void>(sd_notify(kKeepEnvironment, state.c_str()));
}

}  // namespace

void notify_ready() {
    notify("READY=1");
}

void notify_status(const std::string& sentence) {
    notify("STATUS=" + sentence.substr(0, sentence.find('\n')));
}

void notify_reloading() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto micros =
        static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(micros));
}

void notify_stopping() {
    notify("STOPPING=1");
}

void notify_alive() {
    notify("WATCHDOG=1");
}

std::chrono::microseconds watchdog_interval() {
    uint64_t patience_us = 0;
    if (sd_watchdog_enabled(kKeepEnvironment, &patience_us) <= 0) {
        return std::chrono::microseconds(0);
    }
    return std::chrono::microseconds(patience_us / 2);
}

}  // namespace curlew::proto

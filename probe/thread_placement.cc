#include "probe/thread_placement.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace curlew::probe {

void require_cores(const std::vector<int>& cores) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (cores.empty() || sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return;
    }
    for (const int core : cores) {
        if (core < 0 || core >= CPU_SETSIZE || !CPU_ISSET(static_cast<size_t>(core), &allowed)) {
            throw std::runtime_error(fmt::format("core {}: this process may not run on it", core));
        }
    }
}

void pin_this_thread(int core) noexcept {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(core), &one);
    // A core that went away since it was asked for costs speed, nothing else.
    static_cast<void>(pthread_setaffinity_np(pthread_self(), sizeof(one), &one));
}

void IdlePause::wait() noexcept {
    constexpr uint32_t kLooksBeforeSleep = 64;
    if (sleep_us_ == 0 || ++in_vain_ < kLooksBeforeSleep) {
        std::this_thread::yield();
        return;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(sleep_us_));
}

}  // namespace curlew::probe

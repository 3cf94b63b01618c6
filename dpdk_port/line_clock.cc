// Hot path.
#include "dpdk_port/line_clock.h"

#include <time.h>

#include <algorithm>

namespace curlew::dpdk_port {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
// Whoever is interrupted for longer between the two reads tries again.
constexpr uint64_t kTogetherNs = 1'000'000;
constexpr int kTries = 4;

uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t apart(uint64_t a, uint64_t b) noexcept {
    return a > b ? a - b : b - a;
}

}  // namespace

LineClock::Reading LineClock::read_system() noexcept {
    Reading reading;
    for (int tries = 0; tries < kTries; ++tries) {
        const uint64_t before = read_clock(CLOCK_MONOTONIC);
        const uint64_t wall = read_clock(CLOCK_REALTIME);
        reading.steady_ns = read_clock(CLOCK_MONOTONIC);
        if (reading.steady_ns - before < kTogetherNs) {
            reading.wall_ns = wall;
            break;
        }
    }
    return reading;
}

LineClock LineClock::open() noexcept {
    Reading opened;
    do {
        opened = read_system();
    } while (opened.wall_ns == 0);
    return {opened, read_system};
}

uint64_t LineClock::now_ns() noexcept {
    const Reading now = read_();
    last_.steady_ns = std::max(last_.steady_ns, now.steady_ns);
    if (now.wall_ns != 0) {
        const uint64_t offset = now.wall_ns - now.steady_ns;
        const auto by_ns = static_cast<int64_t>(offset - offset_);
        if (by_ns >= static_cast<int64_t>(kLeastStepNs) ||
            by_ns <= -static_cast<int64_t>(kLeastStepNs)) {
            offset_before_ = offset_;
            offset_ = offset;
            steps_.add({last_ns(), by_ns});
        }
    }
    return last_ns();
}

uint64_t LineClock::time_of_stamp(uint64_t wall_ns) const noexcept {
    const uint64_t ours = opened_.wall_ns - opened_.steady_ns;
    const uint64_t time = wall_ns - (offset_ - ours);
    if (steps_.count == 0) {
        return time;
    }
    const uint64_t as_before = wall_ns - (offset_before_ - ours);
    return apart(as_before, last_ns()) < apart(time, last_ns()) ? as_before : time;
}

}  // namespace curlew::dpdk_port

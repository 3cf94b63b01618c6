#pragma once

#include <cstdint>

#include "probe/port.h"

namespace curlew::dpdk_port {

// The time of a line: the wall clock as it stood when the line was opened, and from then on the
// monotonic clock, which nobody sets. Durations and timeouts stay what they are when somebody sets
// the wall clock; that is a step, and remembered, so that the wall's time can be told from ours.
//
// One thread calls everything.
class LineClock {
  public:
    // The two clocks of the system, read together.
    struct Reading {
        uint64_t wall_ns = 0;    // CLOCK_REALTIME
        uint64_t steady_ns = 0;  // CLOCK_MONOTONIC, which NTP slows and hastens with the other
    };
    using Reader = Reading (*)() noexcept;

    // Less is what lies between two readings, not a step.
    static constexpr uint64_t kLeastStepNs = 10'000'000;

    // A wall of 0 is none: the thread was kept from reading both together.
    static Reading read_system() noexcept;

    // Of a line that is opened now. Lines that are opened together take copies of one.
    static LineClock open() noexcept;

    // Requires: `opened` has both times.
    LineClock(const Reading& opened, Reader read) noexcept
        : opened_(opened), read_(read), offset_(opened.wall_ns - opened.steady_ns) {}

    // Reads both clocks, finds a step. Later readings of ours are not earlier.
    uint64_t now_ns() noexcept;
    // The same without a look at the wall.
    uint64_t last_ns() const noexcept { return time_of(last_.steady_ns); }

    // A stamp that the wall clock gave, not long before the last now_ns(): near a step it is told
    // from the time itself whether it is of before.
    uint64_t time_of_stamp(uint64_t wall_ns) const noexcept;

    const probe::ClockSteps& steps() const noexcept { return steps_; }

  private:
    uint64_t time_of(uint64_t steady_ns) const noexcept {
        return opened_.wall_ns + (steady_ns - opened_.steady_ns);
    }

    Reading opened_;
    Reader read_;
    Reading last_{};
    // Wall less steady, modulo 2^64: now, and before the last step.
    uint64_t offset_;
    uint64_t offset_before_ = 0;
    probe::ClockSteps steps_;
};

}  // namespace curlew::dpdk_port

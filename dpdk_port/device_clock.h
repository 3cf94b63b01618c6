#pragma once

#include <cstdint>

namespace curlew::dpdk_port {

// Turns ticks of a device's free-running clock into nanoseconds since 1970: straight pieces, each
// of which begins where the one before has come to. Later ticks never give an earlier time, but
// where the clock that it follows was set back; ports give it one that nobody sets (line_clock.h).
class DeviceClock {
  public:
    // The two clocks, read together.
    struct Reading {
        uint64_t ticks = 0;
        uint64_t time_ns = 0;
    };

    // A step of the followed clock: not corrected little by little but followed at once.
    static constexpr uint64_t kStepNs = 1'000'000'000;

    // Requires: both clocks went on from the first to the second.
    DeviceClock(const Reading& first, const Reading& second) noexcept;

    // To be called now and then, with readings in their order. The error found is made up for over
    // the time that passed since the last reading.
    void calibrate(const Reading& reading) noexcept;

    uint64_t time_ns(uint64_t ticks) const noexcept;

  private:
    struct Piece {
        Reading start;
        double ns_per_tick = 1.0;

        uint64_t time_ns(uint64_t ticks) const noexcept;
    };

    Reading last_;    // of both clocks
    Piece previous_;  // for packets that were on their way during calibrate()
    Piece current_;
};

}  // namespace curlew::dpdk_port

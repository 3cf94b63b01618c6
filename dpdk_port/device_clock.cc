#include "dpdk_port/device_clock.h"

#include <algorithm>
#include <cassert>

namespace curlew::dpdk_port {

uint64_t DeviceClock::Piece::time_ns(uint64_t ticks) const noexcept {
    if (ticks >= start.ticks) {
        const double after = static_cast<double>(ticks - start.ticks) * ns_per_tick;
        return start.time_ns + static_cast<uint64_t>(after);
    }
    const double before = static_cast<double>(start.ticks - ticks) * ns_per_tick;
    return start.time_ns - std::min(static_cast<uint64_t>(before), start.time_ns);
}

DeviceClock::DeviceClock(const Reading& first, const Reading& second) noexcept : last_(second) {
    assert(second.ticks > first.ticks);
    assert(second.time_ns > first.time_ns);
    current_.start = first;
    current_.ns_per_tick = static_cast<double>(second.time_ns - first.time_ns) /
                           static_cast<double>(second.ticks - first.ticks);
    previous_ = current_;
}

void DeviceClock::calibrate(const Reading& reading) noexcept {
    if (reading.ticks <= last_.ticks) {
        return;
    }
    const double ticks = static_cast<double>(reading.ticks - last_.ticks);
    const uint64_t reached = time_ns(reading.ticks);
    const uint64_t error =
        reached > reading.time_ns ? reached - reading.time_ns : reading.time_ns - reached;
    if (error > kStepNs) {
        current_.start = reading;
        previous_ = current_;
        last_ = reading;
        return;
    }
    previous_ = current_;
    current_.start = {reading.ticks, reached};
    if (reading.time_ns > last_.time_ns) {
        const double rate = static_cast<double>(reading.time_ns - last_.time_ns) / ticks;
        const double behind = static_cast<double>(reading.time_ns) - static_cast<double>(reached);
        // Never still and never backwards, however far off the readings are.
        current_.ns_per_tick = std::clamp(rate + behind / ticks, rate / 2, rate * 2);
    }
    last_ = reading;
}

uint64_t DeviceClock::time_ns(uint64_t ticks) const noexcept {
    return ticks >= current_.start.ticks ? current_.time_ns(ticks) : previous_.time_ns(ticks);
}

}  // namespace curlew::dpdk_port

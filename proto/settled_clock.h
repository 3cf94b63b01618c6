#pragma once

#include <chrono>
#include <optional>

// Whether the system's clock may be trusted to say how old a file is. A machine without a battery
// starts with any time, and is set right a little later: what was old by the first time is not.

namespace curlew::proto {

class SettledClock {
  public:
    using Steady = std::chrono::steady_clock::time_point;
    using Wall = std::chrono::system_clock::time_point;

    // So long it has to go on as it is; so much it may stray meanwhile.
    static constexpr std::chrono::minutes kSettles{10};
    static constexpr std::chrono::minutes kStep{1};

    // Called now and then, with both clocks of one moment: true when the wall clock has gone as the
    // steady one does since the first call, or since it was set last, and for long enough.
    bool is_settled(Steady steady, Wall wall) {
        const auto apart = wall.time_since_epoch() - steady.time_since_epoch();
        if (!apart_ || apart - *apart_ > kStep || *apart_ - apart > kStep) {
            apart_ = apart;
            since_ = steady;
        }
        return steady - since_ >= kSettles;
    }

  private:
    std::optional<std::chrono::nanoseconds> apart_;
    Steady since_;
};

}  // namespace curlew::proto

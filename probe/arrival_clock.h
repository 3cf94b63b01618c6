#pragma once

#include <algorithm>
#include <cstdint>

// How late it is on a line, as far as its packets' times can be believed: the latest of them. It
// never goes back, so it stands still while a capture's times are behind, as of a second interface
// whose clock is slow. One receiver's, of all its packets, so that what depends on it does not
// depend on which flows share a partition.

namespace curlew::probe {

class ArrivalClock {
  public:
    // A time this far ahead of all others is believed only when such times go on for a while and
    // none from before comes in between: wrong ones shall end nobody's flow.
    static constexpr uint64_t kBelievedStep = 60'000'000'000;
    static constexpr uint64_t kBelievedAfter = 1'000'000'000;

    // Another packet came, with that time. How late it is then.
    uint64_t advance(uint64_t time_ns) noexcept {
        if (now_ns_ == 0 || time_ns <= now_ns_ + kBelievedStep) [[likely]] {
            if (time_ns + kBelievedStep >= now_ns_) {
                ahead_from_ns_ = 0;
            }
            now_ns_ = std::max(now_ns_, time_ns);
            return now_ns_;
        }
        ahead_to_ns_ = ahead_from_ns_ == 0 ? time_ns : std::max(ahead_to_ns_, time_ns);
        if (ahead_from_ns_ == 0 || time_ns < ahead_from_ns_) {
            ahead_from_ns_ = time_ns;
        } else if (time_ns - ahead_from_ns_ >= kBelievedAfter) {
            now_ns_ = ahead_from_ns_;
            ahead_from_ns_ = 0;
            return advance(time_ns);
        }
        return now_ns_;
    }

    // When the last packet came, as far as is known at the end of all: a time ahead that nothing
    // spoke against is believed then.
    uint64_t last_ns() const noexcept {
        return ahead_from_ns_ == 0 ? now_ns_ : std::max(now_ns_, ahead_to_ns_);
    }

  private:
    uint64_t now_ns_ = 0;
    uint64_t ahead_from_ns_ = 0;  // the earliest time ahead that nothing spoke against; 0: none
    uint64_t ahead_to_ns_ = 0;    // the latest
};

}  // namespace curlew::probe

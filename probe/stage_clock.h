#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

// What a thread that receives and meters spends its time on, for `curlew bench`. The stages are
// passed over bursts; what only some packets need is told within. Without a clock there is one
// branch a burst, and one for each such packet. One thread's.

namespace curlew::probe {

enum class Stage : uint8_t {
    receive,        // the port, and what goes on between bursts
    parse,          // fragments joined, too
    look_up,        // hash, buckets, and the flow records on their way to the cache
    update,         // counters, lists, copies
    inspect,        // payloads: signatures and names
    expire,         // flows that are due
    export_record,  // the record into its ring
    count_,
};

const char* name_of(Stage stage) noexcept;

class StageClock {
  public:
    using Ticks = std::array<uint64_t, static_cast<size_t>(Stage::count_)>;

    void start() noexcept {
        ticks_ = {};
        since_ = now();
        is_on_ = true;
    }
    void stop() noexcept {
        enter(current_);
        is_on_ = false;
    }

    // From now on time is this stage's. Returns the one before. Nothing before start().
    Stage enter(Stage next) noexcept {
        const Stage before = current_;
        current_ = next;
        if (is_on_) {
            const uint64_t at = now();
            ticks_[static_cast<size_t>(before)] += at - since_;
            since_ = at;
        }
        return before;
    }

    // Between start() and stop(): of no unit, they add up to the whole time.
    const Ticks& ticks() const noexcept { return ticks_; }

  private:
    static uint64_t now() noexcept {
#if defined(__x86_64__)
        return __rdtsc();
#else
        return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
    }

    Ticks ticks_{};
    uint64_t since_ = 0;
    Stage current_ = Stage::receive;
    bool is_on_ = false;
};

inline void enter(StageClock* clock, Stage stage) noexcept {
    if (clock != nullptr) {
        clock->enter(stage);
    }
}

// A stage within another, to which time returns. A null clock: nothing.
class StageTurn {
  public:
    StageTurn(StageClock* clock, Stage stage) noexcept : clock_(clock) {
        if (clock != nullptr) {
            before_ = clock->enter(stage);
        }
    }
    ~StageTurn() { enter(clock_, before_); }
    StageTurn(const StageTurn&) = delete;
    StageTurn& operator=(const StageTurn&) = delete;

  private:
    StageClock* clock_;
    Stage before_ = Stage::receive;
};

}  // namespace curlew::probe

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

// When something was lost. Counters say how much and never when; whoever looks at one now and then
// knows the time between two looks.

namespace curlew::probe {

enum class LossReason : uint8_t {
    port_missed,          // no room in the receive queue
    port_in_error,        // damaged as they were received
    port_without_buffer,  // no memory to receive into
    hand_over,            // a worker's ring was full
    outbox,               // records: neither spool nor memory had room
    dropped,              // records: waited longest and made room, or the spool's disk lost them
    count_
};

// As ledgers name it.
const char* name_of(LossReason reason) noexcept;

struct LossInterval {
    uint64_t from_ns = 0;
    uint64_t to_ns = 0;  // inclusive
    uint32_t queue = 0;  // of the ports, in their order; 0 where it is no port's
    LossReason reason = LossReason::port_missed;
    uint64_t lost = 0;  // packets; records where the reason is theirs
};

// The intervals of one queue or thread, in fixed memory: what lies close together is one, and when
// there are too many, those that lie closest become one. None is ever forgotten: the sum over a
// reason is all that was noted of it.
class LossIntervals {
  public:
    static constexpr size_t kMost = 32;
    // Less than this between two of one reason: one interval.
    static constexpr uint64_t kSeparateNs = 1'000'000'000;

    // `lost` is not 0; times go forward but for steps of a clock, and to_ns >= from_ns.
    void note(LossReason reason, uint64_t from_ns, uint64_t to_ns, uint64_t lost) noexcept;

    // In the order of noting.
    const LossInterval* begin() const noexcept { return intervals_.data(); }
    const LossInterval* end() const noexcept { return intervals_.data() + count_; }

  private:
    void make_room() noexcept;

    std::array<LossInterval, kMost> intervals_;
    size_t count_ = 0;
};

// Of many queues' intervals, when they are more than `most`: one for each queue and reason.
void limit_losses(std::vector<LossInterval>& losses, size_t most);

}  // namespace curlew::probe

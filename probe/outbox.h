#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "probe/spool.h"

// Frames that wait for their acknowledgement: in memory or in the spool, each bounded. What does
// not fit is refused, so nothing that has a sequence number is ever lost here. One thread calls
// everything.

namespace curlew::probe {

struct OutboxFrame {
    std::shared_ptr<const std::string> octets;  // null: in the spool
    SpoolPlace place;                           // when in the spool
    uint64_t first_sequence = 0;
    uint64_t last_sequence = 0;
    uint32_t records = 0;  // 0: a ledger
    // From the start of its earliest record to the end of its latest.
    uint64_t from_ns = 0;
    uint64_t to_ns = 0;
};

class Outbox {
  public:
    // 0 for the spool: there is none.
    explicit Outbox(size_t maximum_octets, uint64_t maximum_spooled_octets = 0);

    // Whether a frame of this length fits now into memory, or into the spool.
    bool has_room(size_t frame_octets) const noexcept;
    bool has_spool_room(size_t frame_octets) const noexcept;

    // Requires: first_sequence follows the last frame's; a batch fits where it is. A ledger is
    // taken in any case: who sends them keeps them few while the outbox is full.
    void append(OutboxFrame frame);

    // Forgets all up to `last_sequence`.
    void acknowledged(uint64_t last_sequence);

    // Takes out what is in memory alone, in order.
    std::vector<OutboxFrame> take_memory();
    // The earliest start among these; the end of time when nothing with a known one is.
    uint64_t earliest_in_memory_ns() const noexcept;

    // Requires: not empty.
    const OutboxFrame& front() const noexcept { return frames_.front(); }
    // The first frame above `sequence`; null when there is none.
    const OutboxFrame* after(uint64_t sequence) const noexcept;

    // The first sequence that is here, or the next that will be.
    uint64_t first_held() const noexcept;
    uint64_t last_made() const noexcept { return next_sequence_ - 1; }
    size_t octets() const noexcept;               // in memory
    uint64_t records() const noexcept;            // that wait here
    uint64_t records_in_memory() const noexcept;  // of these, not in the spool
    bool empty() const noexcept;

  private:
    std::deque<OutboxFrame> frames_;
    size_t maximum_octets_;
    uint64_t maximum_spooled_octets_;
    size_t octets_ = 0;
    uint64_t spooled_octets_ = 0;
    uint64_t records_ = 0;
    uint64_t records_in_memory_ = 0;
    uint64_t next_sequence_ = 1;
};

}  // namespace curlew::probe

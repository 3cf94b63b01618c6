#pragma once

#include <cstdint>
#include <deque>

#include "probe/loss_intervals.h"
#include "proto/flow.pb.h"

// Records that this probe will not deliver: how many, when they were, and those of which nobody
// knows yet whether a collector has them.

namespace curlew::probe {

// One thread calls everything.
class LostRecords {
  public:
    // What is known of a frame that is no longer there.
    struct Frame {
        uint64_t last_sequence = 0;
        uint32_t records = 0;  // 0: of a ledger
        uint64_t from_ns = 1;  // of the records; from after to: not known
        uint64_t to_ns = 0;
    };

    // They found no room, and never had a number or have none any more.
    void lose(uint64_t records, uint64_t from_ns = 1, uint64_t to_ns = 0);

    // It made room for newer ones. `was_sent`: it may have arrived.
    void drop(const Frame& frame, bool was_sent);

    // What was dropped on its way: an acknowledgement says what arrived, and a welcome that nothing
    // else did.
    void decide(uint64_t last_acknowledged, bool is_welcome);
    // Nothing that was dropped waits for that.
    bool decided() const noexcept { return undecided_.empty(); }

    // It was on its way at the end, and nobody will hear whether it arrived.
    void give_up(const Frame& frame) { given_up_.push_back(frame); }

    // Records by what became of them; those in doubt are in neither.
    uint64_t without_room() const noexcept { return without_room_; }
    uint64_t dropped() const noexcept { return dropped_; }
    // Sequence of the last frame that was dropped; 0: none was.
    uint64_t dropped_through() const noexcept { return dropped_through_; }

    // Adds counts and intervals, to the final ledger what is in doubt as well.
    void fill(proto::ProbeLedger& message, bool final) const;

  private:
    void count_dropped(const Frame& frame);

    LossIntervals losses_;
    std::deque<Frame> undecided_;  // dropped, and perhaps with the collector
    std::deque<Frame> given_up_;   // at the end, likewise
    uint64_t without_room_ = 0;
    uint64_t dropped_ = 0;
    uint64_t dropped_through_ = 0;
};

}  // namespace curlew::probe

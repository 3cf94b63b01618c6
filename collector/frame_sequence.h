#pragma once

#include <cstdint>

#include "proto/frame.h"

// Which frames of one probe and epoch are new: everything counts once, and nothing behind something
// that is missing.

namespace curlew::collector {

enum class FrameVerdict : uint8_t {
    next,             // follows what was taken
    duplicate,        // all of it was taken before
    out_of_sequence,  // something before it is missing, it overlaps, or it is behind the end
    foreign,          // of another probe or epoch
    unexpected,       // an empty batch, or a kind that has no sequence
};

// Sequence numbers that a frame takes.
uint64_t sequences_of(const proto::FrameHeader& header) noexcept;

class FrameSequence {
  public:
    FrameSequence(uint64_t probe_id, uint64_t epoch, uint64_t last = 0) noexcept
        : probe_id_(probe_id), epoch_(epoch), last_(last) {}

    FrameVerdict judge(const proto::FrameHeader& header) const noexcept;

    // Requires: judged `next`.
    void take(const proto::FrameHeader& header) noexcept;

    // Nothing follows any more.
    void end() noexcept { ended_ = true; }

    // Back to `last`, or on to it over a gap.
    void set_last(uint64_t last) noexcept {
        last_ = last;
        ended_ = false;
    }

    uint64_t last() const noexcept { return last_; }
    bool ended() const noexcept { return ended_; }

  private:
    uint64_t probe_id_;
    uint64_t epoch_;
    uint64_t last_;
    bool ended_ = false;
};

}  // namespace curlew::collector

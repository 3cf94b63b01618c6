#include "collector/frame_sequence.h"

#include <cassert>

namespace curlew::collector {

uint64_t sequences_of(const proto::FrameHeader& header) noexcept {
    return header.kind == proto::FrameKind::ledger ? 1 : header.record_count;
}

FrameVerdict FrameSequence::judge(const proto::FrameHeader& header) const noexcept {
    const uint64_t count = sequences_of(header);
    const bool has_sequence =
        header.kind == proto::FrameKind::batch || header.kind == proto::FrameKind::ledger;
    if (!has_sequence || count == 0 || header.first_sequence == 0) {
        return FrameVerdict::unexpected;
    }
    if (header.probe_id != probe_id_ || header.epoch != epoch_) {
        return FrameVerdict::foreign;
    }
    if (!ended_ && header.first_sequence == last_ + 1) {
        return FrameVerdict::next;
    }
    if (header.first_sequence <= last_ && count <= last_ - header.first_sequence + 1) {
        return FrameVerdict::duplicate;
    }
    return FrameVerdict::out_of_sequence;
}

void FrameSequence::take(const proto::FrameHeader& header) noexcept {
    assert(judge(header) == FrameVerdict::next);
    last_ += sequences_of(header);
}

}  // namespace curlew::collector

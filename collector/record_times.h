#pragma once

#include <cstdint>
#include <vector>

#include "proto/frame.h"

// When the records of a batch ended, read off its octets without decoding it, so that a collector
// that only stores a batch knows the windows it touches. Says the same of the same octets each time
// they are read, whether the decoder takes the batch or refuses it.

namespace curlew::collector {

class RecordTimes {
  public:
    // Records of a batch whose octets do not tell get the clock's time.
    explicit RecordTimes(uint64_t clock_ns) : clock_ns_(clock_ns) {}

    void set_clock(uint64_t clock_ns) noexcept { clock_ns_ = clock_ns; }

    // flow_end_ns of each of the header's record_count records; good until the next call.
    // Requires: a batch.
    const std::vector<uint64_t>& of(const proto::FrameView& batch);

  private:
    uint64_t clock_ns_;
    std::vector<uint64_t> times_;
};

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <vector>

#include "proto/flow.pb.h"

// When packets of a line were lost, and which records may lack some for that.

namespace curlew::collector {

// From `from_ns` to `to_ns`, both in it.
struct LossSpan {
    uint64_t from_ns = 0;
    uint64_t to_ns = 0;  // UINT64_MAX: not known

    auto operator<=>(const LossSpan&) const = default;
};

class LossSpans {
  public:
    LossSpans() = default;
    // In any order; one that ends before it begins is none.
    explicit LossSpans(std::vector<LossSpan> spans);

    // Whether something was lost between the two times.
    bool overlaps(uint64_t from_ns, uint64_t to_ns) const noexcept;

  private:
    std::vector<LossSpan> spans_;  // in order, apart from each other
};

// Those of the ledger's losses that are packets.
std::vector<LossSpan> packet_losses(const proto::ProbeLedger& ledger);

}  // namespace curlew::collector

#pragma once

#include "proto/flow.pb.h"

namespace curlew::collector {

inline constexpr int kSpreadBins = 8;

// Of the values whose exact sums a probe sent.
struct SpreadNumbers {
    double mean = 0;
    double deviation = 0;  // of the sample: sqrt(M2 / (n - 1)); 0 for one value
};

// False where the sums are no one's: a count over proto::kMaximumCount, a histogram that
// does not hold `count` values in 8 bins, a minimum over the maximum. Empty is plausible.
bool is_plausible(const proto::Spread& spread);

// Finite whatever the sums are, and within rounding of a double where they are true. Requires: a
// plausible spread with a count that is not 0.
SpreadNumbers spread_numbers(const proto::Spread& spread);

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <span>

#include "collector/byte_counts.h"

namespace curlew::collector {

// What a flow's payload octets, both directions together, look like as numbers.
struct PayloadStatistics {
    uint64_t octets = 0;  // counted: the payload, less what the capture cut off
    double mean = 0;
    double deviation = 0;  // of the sample: sqrt(M2 / (n - 1)); 0 for one octet
    double entropy = 0;    // bits an octet, 0 to 8
};

// Requires: values in ascending order, and counts whose sum does not overflow.
PayloadStatistics payload_statistics(std::span<const ByteCount> counts);

}  // namespace curlew::collector

#include "collector/payload_statistics.h"

#include <cassert>
#include <cmath>

namespace curlew::collector {

PayloadStatistics payload_statistics(std::span<const uint64_t> counts) {
    assert(counts.size() == 256);
    PayloadStatistics statistics;
    double sum = 0;
    for (size_t value = 0; value < counts.size(); ++value) {
        statistics.octets += counts[value];
        sum += static_cast<double>(value) * static_cast<double>(counts[value]);
    }
    if (statistics.octets == 0) {
        return statistics;
    }
    const auto total = static_cast<double>(statistics.octets);
    statistics.mean = sum / total;

    double squares = 0;
    for (size_t value = 0; value < counts.size(); ++value) {
        if (counts[value] == 0) {
            continue;
        }
        const auto count = static_cast<double>(counts[value]);
        const double distance = static_cast<double>(value) - statistics.mean;
        squares += count * distance * distance;
        const double share = count / total;
        statistics.entropy -= share * std::log2(share);
    }
    if (statistics.octets > 1) {
        statistics.deviation = std::sqrt(squares / (total - 1));
    }
    return statistics;
}

}  // namespace curlew::collector

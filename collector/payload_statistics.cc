#include "collector/payload_statistics.h"

#include <cmath>

namespace curlew::collector {

PayloadStatistics payload_statistics(std::span<const ByteCount> counts) {
    PayloadStatistics statistics;
    double sum = 0;
    for (const auto& [count, value] : counts) {
        statistics.octets += count;
        sum += static_cast<double>(value) * static_cast<double>(count);
    }
    if (statistics.octets == 0) {
        return statistics;
    }
    const auto total = static_cast<double>(statistics.octets);
    statistics.mean = sum / total;

    double squares = 0;
    // Neighbours often have one count: the logarithm is the dear part.
    uint64_t known_count = 0;
    double known_term = 0;
    for (const auto& [whole_count, value] : counts) {
        const auto count = static_cast<double>(whole_count);
        const double distance = static_cast<double>(value) - statistics.mean;
        squares += count * distance * distance;
        if (whole_count != known_count) {
            const double share = count / total;
            known_count = whole_count;
            known_term = share * std::log2(share);
        }
        statistics.entropy -= known_term;
    }
    if (statistics.octets > 1) {
        statistics.deviation = std::sqrt(squares / (total - 1));
    }
    return statistics;
}

}  // namespace curlew::collector

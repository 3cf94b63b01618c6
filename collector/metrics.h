#pragma once

#include <cstdint>
#include <string>

#include "collector/live_collector.h"

// What the collector and its probes count, in the text format of Prometheus. METRICS.md lists it
// and says which member of a manifest each number equals.

namespace curlew::collector {

// Of one probe and list, so many reasons have a series of their own; what is beyond, or has a name
// longer than these octets, is added up as "other".
inline constexpr size_t kMaximumReasonSeries = 64;
inline constexpr size_t kMaximumReasonOctets = 64;

// What is no part of the status.
struct ProcessFacts {
    std::string version;
    uint64_t resident_octets = 0;
};

std::string render_metrics(const LiveStatus& status, const ProcessFacts& process);

// Memory of this process that is in use; 0 when the kernel does not say.
uint64_t resident_octets();

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace curlew::proto {
class Recording;
}

namespace curlew::probe {

// What became of the metered packets where they are recorded. Of threads at work the last few are
// in none of the counts.
struct RecordingLedger {
    struct File {
        std::string name;      // once it is complete
        uint64_t from_ns = 0;  // of its packets
        uint64_t to_ns = 0;    // inclusive
    };

    uint64_t packets_recorded = 0;
    uint64_t octets_recorded = 0;       // of these packets, as captured
    uint64_t packets_not_chosen = 0;    // not wanted by the configuration
    uint64_t packets_lost_in_ring = 0;  // no room on the way to the writing thread
    uint64_t packets_lost_at_disk = 0;  // the disk did not take them
    std::vector<File> files;            // the newest ones, in order
};

// As it crosses to the collector.
void fill(const RecordingLedger& ledger, proto::Recording& message);

}  // namespace curlew::probe

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "probe/counters.h"
#include "probe/fragment_table.h"
#include "probe/loss_intervals.h"
#include "probe/port.h"
#include "probe/recording_ledger.h"

namespace curlew::probe {

// The meter's half of the ledger, cumulative. Taken while threads run, each thread's part is
// consistent in itself, so both identities of counters.h hold for packets at any time, and for
// records up to those on their way through the rings.
struct MeterLedger {
    PortCounters port;  // sum over all ports
    PacketCounters packets;
    FragmentCounters fragments;
    FlowCounters flows;
    // By reasons that the parser does not know: the Joy meter's, and copies. Added to the packets'.
    std::vector<std::pair<const char*, uint64_t>> not_metered;
    std::vector<LossInterval> losses;  // of packets; with the queues' numbers
    ClockSteps clock_steps;            // of the first live port: all have the same clock
    std::string capture_warning;       // one sentence when an input broke off; see add_fault()
    uint64_t clock_ns = 0;             // of live ports their clocks, else the last packet's time
    // No record that is exported later has a last packet before this; 0: not known.
    uint64_t complete_until_ns = 0;
    bool packets_lost_unknown = false;         // set by who opened the ports
    std::optional<RecordingLedger> recording;  // likewise, where there is one
};

// Queues of one device break with one sentence, which is told once.
inline void add_fault(const std::string& sentence, std::string& all) {
    const std::string among = "; " + all + "; ";
    if (!sentence.empty() && among.find("; " + sentence + "; ") == std::string::npos) {
        all += (all.empty() ? "" : "; ") + sentence;
    }
}

}  // namespace curlew::probe

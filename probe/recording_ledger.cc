#include "probe/recording_ledger.h"

#include <utility>

#include "proto/flow.pb.h"

namespace curlew::probe {

void fill(const RecordingLedger& ledger, proto::Recording& message) {
    message.set_packets_recorded(ledger.packets_recorded);
    message.set_octets_recorded(ledger.octets_recorded);
    message.set_packets_not_chosen(ledger.packets_not_chosen);
    const std::pair<const char*, uint64_t> losses[] = {
        {"ring", ledger.packets_lost_in_ring},
        {"disk", ledger.packets_lost_at_disk},
    };
    for (const auto& [reason, packets] : losses) {
        if (packets != 0) {
            proto::Count& count = *message.add_packets_lost();
            count.set_reason(reason);
            count.set_packets(packets);
        }
    }
    for (const RecordingLedger::File& file : ledger.files) {
        proto::RecordingFile& told = *message.add_files();
        told.set_name(file.name);
        told.set_from_ns(file.from_ns);
        told.set_to_ns(file.to_ns);
    }
}

}  // namespace curlew::probe

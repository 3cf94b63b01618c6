#include "collector/settled_ledger.h"

#include <algorithm>
#include <map>
#include <string>

namespace curlew::collector {
namespace {

bool is_missing(const proto::RecordsInDoubt& records, const std::vector<Gap>& gaps) {
    return std::any_of(gaps.begin(), gaps.end(), [&](const Gap& gap) {
        return gap.first <= records.last_sequence() && records.first_sequence() <= gap.last;
    });
}

void add_lost(proto::ProbeLedger& ledger, const std::string& reason, uint64_t records) {
    auto& counts = *ledger.mutable_records_lost();
    auto known = std::find_if(counts.begin(), counts.end(), [&](const proto::Count& count) {
        return count.reason() == reason;
    });
    proto::Count& count = known != counts.end() ? *known : *ledger.add_records_lost();
    count.set_reason(reason);
    count.set_packets(count.packets() + records);
}

}  // namespace

proto::ProbeLedger settled(proto::ProbeLedger ledger, const std::vector<Gap>& gaps) {
    // They lie together: of each reason they are one interval.
    std::map<std::string, proto::LossInterval> intervals;
    for (const proto::RecordsInDoubt& doubt : ledger.in_doubt()) {
        if (!is_missing(doubt, gaps)) {
            continue;
        }
        const proto::LossInterval& loss = doubt.loss();
        const uint64_t lost = std::min(loss.lost(), ledger.records_sent());
        ledger.set_records_sent(ledger.records_sent() - lost);
        add_lost(ledger, loss.reason(), lost);
        if (loss.to_ns() == 0) {
            continue;
        }
        const auto [place, is_new] = intervals.try_emplace(loss.reason(), loss);
        proto::LossInterval& interval = place->second;
        interval.set_from_ns(std::min(interval.from_ns(), loss.from_ns()));
        interval.set_to_ns(std::max(interval.to_ns(), loss.to_ns()));
        interval.set_lost(is_new ? lost : interval.lost() + lost);
    }
    for (const auto& [reason, interval] : intervals) {
        *ledger.add_losses() = interval;
    }
    ledger.clear_in_doubt();
    return ledger;
}

}  // namespace curlew::collector

#include "collector/loss_spans.h"

#include <algorithm>

namespace curlew::collector {

LossSpans::LossSpans(std::vector<LossSpan> spans) {
    std::sort(spans.begin(), spans.end());
    for (const LossSpan& span : spans) {
        if (span.to_ns < span.from_ns) {
            continue;
        }
        if (!spans_.empty() && span.from_ns <= spans_.back().to_ns) {
            spans_.back().to_ns = std::max(spans_.back().to_ns, span.to_ns);
        } else {
            spans_.push_back(span);
        }
    }
}

bool LossSpans::overlaps(uint64_t from_ns, uint64_t to_ns) const noexcept {
    const auto first = std::lower_bound(
        spans_.begin(), spans_.end(), from_ns, [](const LossSpan& span, uint64_t time_ns) {
            return span.to_ns < time_ns;
        });
    return first != spans_.end() && first->from_ns <= to_ns;
}

std::vector<LossSpan> packet_losses(const proto::ProbeLedger& ledger) {
    std::vector<LossSpan> spans;
    for (const proto::LossInterval& loss : ledger.losses()) {
        const bool of_packets =
            std::any_of(ledger.packets_lost().begin(),
                        ledger.packets_lost().end(),
                        [&](const proto::Count& count) { return count.reason() == loss.reason(); });
        if (of_packets) {
            spans.push_back({loss.from_ns(), loss.to_ns()});
        }
    }
    return spans;
}

}  // namespace curlew::collector

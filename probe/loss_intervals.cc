#include "probe/loss_intervals.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace curlew::probe {

namespace {

void join(LossInterval& interval, const LossInterval& other) noexcept {
    interval.from_ns = std::min(interval.from_ns, other.from_ns);
    interval.to_ns = std::max(interval.to_ns, other.to_ns);
    interval.lost += other.lost;
}

uint64_t distance(const LossInterval& a, const LossInterval& b) noexcept {
    const uint64_t from = std::max(a.from_ns, b.from_ns);
    const uint64_t to = std::min(a.to_ns, b.to_ns);
    return from > to ? from - to : 0;
}

}  // namespace

const char* name_of(LossReason reason) noexcept {
    switch (reason) {
        case LossReason::port_missed:
            return "port_missed";
        case LossReason::port_in_error:
            return "port_in_error";
        case LossReason::port_without_buffer:
            return "port_without_buffer";
        case LossReason::hand_over:
            return "hand_over";
        case LossReason::outbox:
            return "outbox";
        case LossReason::dropped:
            return "dropped";
        case LossReason::count_:
            break;
    }
    return "unknown";
}

void LossIntervals::note(LossReason reason,
                         uint64_t from_ns,
                         uint64_t to_ns,
                         uint64_t lost) noexcept {
    const LossInterval added{from_ns, to_ns, 0, reason, lost};
    for (size_t i = count_; i-- > 0;) {
        if (intervals_[i].reason == reason) {
            if (distance(intervals_[i], added) < kSeparateNs) {
                join(intervals_[i], added);
                return;
            }
            break;
        }
    }
    if (count_ == intervals_.size()) {
        make_room();
    }
    intervals_[count_++] = added;
}

// There are more intervals than reasons, so that two have one reason.
void LossIntervals::make_room() noexcept {
    static_assert(kMost > static_cast<size_t>(LossReason::count_));
    size_t first = 0;
    size_t second = 0;
    uint64_t closest = std::numeric_limits<uint64_t>::max();
    for (size_t i = 0; i < count_; ++i) {
        const auto next = std::find_if(
            intervals_.begin() + static_cast<ptrdiff_t>(i) + 1,
            intervals_.begin() + static_cast<ptrdiff_t>(count_),
            [&](const LossInterval& other) { return other.reason == intervals_[i].reason; });
        if (next == intervals_.begin() + static_cast<ptrdiff_t>(count_)) {
            continue;
        }
        const uint64_t between = distance(intervals_[i], *next);
        if (second == 0 || between < closest) {
            closest = between;
            first = i;
            second = static_cast<size_t>(next - intervals_.begin());
        }
    }
    join(intervals_[first], intervals_[second]);
    std::copy(intervals_.begin() + static_cast<ptrdiff_t>(second) + 1,
              intervals_.begin() + static_cast<ptrdiff_t>(count_),
              intervals_.begin() + static_cast<ptrdiff_t>(second));
    --count_;
}

void limit_losses(std::vector<LossInterval>& losses, size_t most) {
    if (losses.size() <= most) {
        return;
    }
    std::map<std::pair<uint32_t, LossReason>, LossInterval> joined;
    for (const LossInterval& loss : losses) {
        const auto [at, is_new] = joined.try_emplace({loss.queue, loss.reason}, loss);
        if (!is_new) {
            join(at->second, loss);
        }
    }
    losses.clear();
    for (const auto& [key, loss] : joined) {
        losses.push_back(loss);
    }
}

}  // namespace curlew::probe

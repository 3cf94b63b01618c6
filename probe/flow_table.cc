// Hot path.
#include "probe/flow_table.h"

#include <bit>
#include <cassert>

namespace curlew::probe {

FlowTable::FlowTable(std::span<Bucket> buckets,
                     std::span<FlowHot> hot,
                     std::span<FlowWarm> warm) noexcept
    : buckets_(buckets), hot_(hot), warm_(warm), mask_(buckets.size() - 1) {
    assert(std::has_single_bit(buckets.size()));
    assert(buckets.size() >= 2);
    assert(hot.size() == warm.size());
}

void FlowTable::prefetch_bucket(uint64_t hash) const noexcept {
    __builtin_prefetch(&first(hash));
}

FlowIndex FlowTable::likely(uint64_t hash) const noexcept {
    const uint16_t tag = tag_of(hash);
    const Bucket& bucket = first(hash);
    for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
        if (bucket.tags[slot] == tag) {
            return bucket.flows[slot];
        }
    }
    return kNoFlow;
}

FlowIndex FlowTable::find(const FlowKey& key, uint64_t hash) const noexcept {
    const uint16_t tag = tag_of(hash);
    for (const Bucket* bucket : {&first(hash), &second(hash)}) {
        for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
            if (bucket->tags[slot] == tag && hot_[bucket->flows[slot]].key == key) {
                return bucket->flows[slot];
            }
        }
    }
    return kNoFlow;
}

bool FlowTable::place(Bucket& bucket, uint16_t tag, FlowIndex flow) noexcept {
    for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
        if (bucket.tags[slot] == 0) {
            bucket.tags[slot] = tag;
            bucket.flows[slot] = flow;
            return true;
        }
    }
    return false;
}

FlowIndex FlowTable::insert(const FlowKey& key, uint64_t hash) noexcept {
    const bool from_free = free_ != kNoFlow;
    if (!from_free && fresh_ == hot_.size()) {
        return kNoFlow;
    }
    const FlowIndex flow = from_free ? free_ : fresh_;
    const uint16_t tag = tag_of(hash);
    if (!place(first(hash), tag, flow) && !place(second(hash), tag, flow)) {
        return kNoFlow;
    }
    if (from_free) {
        free_ = hot_[flow].wheel_next;
    } else {
        ++fresh_;
    }
    ++size_;
    hot_[flow] = FlowHot{};
    hot_[flow].key = key;
    hot_[flow].state = kStateInUse;
    warm_[flow] = FlowWarm{};
    return flow;
}

FlowIndex FlowTable::victim(uint64_t hash) const noexcept {
    FlowIndex chosen = kNoFlow;
    bool chosen_established = false;
    for (const Bucket* bucket : {&first(hash), &second(hash)}) {
        for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
            if (bucket->tags[slot] == 0) {
                continue;
            }
            const FlowIndex flow = bucket->flows[slot];
            const FlowHot& hot = hot_[flow];
            // A flood fills the table with flows nobody answered; those go first.
            const bool established = hot.packets[0] != 0 && hot.packets[1] != 0;
            const bool better =
                chosen == kNoFlow || (chosen_established && !established) ||
                (chosen_established == established && hot.last_ns < hot_[chosen].last_ns);
            if (better) {
                chosen = flow;
                chosen_established = established;
            }
        }
    }
    return chosen;
}

void FlowTable::erase(FlowIndex flow, uint64_t hash) noexcept {
    assert((hot_[flow].state & kStateInUse) != 0);
    const uint16_t tag = tag_of(hash);
    for (Bucket* bucket : {&first(hash), &second(hash)}) {
        for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
            if (bucket->tags[slot] == tag && bucket->flows[slot] == flow) {
                bucket->tags[slot] = 0;
                hot_[flow].state = 0;
                hot_[flow].wheel_next = free_;
                free_ = flow;
                --size_;
                return;
            }
        }
    }
    assert(false && "a flow in use stands in one of its buckets");
}

}  // namespace curlew::probe

// Hot path.
#include "probe/flow_table.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

#include "proto/mapped_memory.h"

namespace curlew::probe {

namespace {

// A server sends its answer to a forged SYN again up to five times by default, so a flow of so many
// packets is no beginning any more though one side had only one.
constexpr uint64_t kPacketsOneSided = 8;

template <typename Part>
void prefetch_lines(const Part& part) noexcept {
    const auto* octets = reinterpret_cast<const uint8_t*>(&part);
    for (size_t line = 0; line < sizeof(Part); line += 64) {
        __builtin_prefetch(octets + line, 1);
    }
}

template <typename Part>
std::span<const uint8_t> octets_of(std::span<Part> parts) noexcept {
    return {reinterpret_cast<const uint8_t*>(parts.data()), parts.size_bytes()};
}

}  // namespace

FlowTable::FlowTable(std::span<Bucket> buckets,
                     std::span<FlowHot> hot,
                     std::span<FlowWarm> warm,
                     std::span<Bucket> few,
                     bool packets_wait) noexcept
    : buckets_(few.empty() ? buckets : few),
      more_buckets_(few.empty() ? few : buckets),
      hot_(hot),
      warm_(warm),
      mask_(buckets_.size() - 1),
      hot_pages_(packets_wait),
      warm_pages_(packets_wait) {
    assert(std::has_single_bit(buckets.size()));
    assert(std::has_single_bit(buckets_.size()));
    assert(buckets_.size() >= 2);
    assert(few.size() <= buckets.size());
    assert(few.empty() || buckets.size() <= kMostAfterFew);
    assert(hot.size() == warm.size());
}

void FlowTable::prefetch_new(uint64_t hash) const noexcept {
    __builtin_prefetch(&second(hash), 1);
    const FlowIndex flow = free_ != kNoFlow ? free_ : fresh_;
    if (flow == hot_.size()) {
        return;
    }
    prefetch_flow(flow);
}

void FlowTable::prefetch_second_new() const noexcept {
    const FlowIndex flow = free_ != kNoFlow ? hot_[free_].wheel_next : fresh_ + 1;
    if (flow < hot_.size()) {
        prefetch_flow(flow);
    }
}

void FlowTable::prefetch_flow(FlowIndex flow) const noexcept {
    prefetch_lines(hot_[flow]);
    prefetch_warm(flow);
}

void FlowTable::prefetch_warm(FlowIndex flow) const noexcept {
    prefetch_lines(warm_[flow]);
}

FlowIndex FlowTable::find(const FlowKey& key, uint64_t hash) const noexcept {
    const uint16_t tag = tag_of(hash);
    for (const Bucket* bucket : {&first(hash), &second(hash)}) {
        for (uint32_t slots = slots_with(*bucket, tag); slots != 0; slots &= slots - 1) {
            const FlowIndex flow = bucket->flows[std::countr_zero(slots)];
            if (hot_[flow].key == key) {
                return flow;
            }
        }
    }
    return kNoFlow;
}

bool FlowTable::place(Bucket& bucket, uint16_t tag, uint16_t home, FlowIndex flow) noexcept {
    const uint32_t slots = slots_with(bucket, 0);
    if (slots == 0) {
        return false;
    }
    const auto slot = static_cast<size_t>(std::countr_zero(slots));
    bucket.tags[slot] = tag;
    bucket.flows[slot] = flow;
    bucket.homes[slot] = home;
    return true;
}

bool FlowTable::place_somewhere(uint64_t hash, FlowIndex flow) noexcept {
    const uint16_t tag = tag_of(hash);
    const auto home = static_cast<uint16_t>(hash);
    return place(first(hash), tag, home, flow) || place(second(hash), tag, home, flow) ||
           (make_room(hash) && place(first(hash), tag, home, flow));
}

FlowIndex FlowTable::insert(const FlowKey& key, uint64_t hash) noexcept {
    const bool from_free = free_ != kNoFlow;
    if (!from_free && fresh_ == hot_.size()) {
        return kNoFlow;
    }
    const FlowIndex flow = from_free ? free_ : fresh_;
    // Half full, both buckets of a key are almost never full.
    if (uses_few() && size_ == buckets_.size() * kSlotsPerBucket / 2) {
        use_more();
    }
    bool placed = place_somewhere(hash, flow);
    if (!placed && uses_few()) {
        use_more();
        placed = place_somewhere(hash, flow);
    }
    if (!placed) {
        return kNoFlow;
    }
    if (from_free) {
        free_ = hot_[flow].wheel_next;
    } else {
        ++fresh_;
        hot_pages_.fill(octets_of(hot_), fresh_ * sizeof(FlowHot));
        warm_pages_.fill(octets_of(warm_), fresh_ * sizeof(FlowWarm));
    }
    ++size_;
    hot_[flow] = FlowHot{};
    hot_[flow].key = key;
    hot_[flow].state = kStateInUse;
    warm_[flow] = FlowWarm{};
    return flow;
}

void FlowTable::use_more() noexcept {
    const std::span<const Bucket> few = buckets_;
    const uint64_t few_mask = mask_;
    buckets_ = std::exchange(more_buckets_, {});
    mask_ = buckets_.size() - 1;
    for (size_t at = 0; at < few.size(); ++at) {
        for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
            const uint16_t tag = few[at].tags[slot];
            const uint16_t home = few[at].homes[slot];
            if (tag != 0) {
                // Nothing but what was in this bucket comes to that one: the slot is free.
                Bucket& bucket =
                    buckets_[(home & few_mask) == at ? home & mask_ : other(home, tag)];
                bucket.tags[slot] = tag;
                bucket.flows[slot] = few[at].flows[slot];
                bucket.homes[slot] = home;
            }
        }
    }
}

bool FlowTable::is_full(const Bucket& bucket) noexcept {
    return slots_with(bucket, 0) == 0;
}

bool FlowTable::make_room(uint64_t hash) noexcept {
    Bucket& bucket = first(hash);
    for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
        const uint16_t tag = bucket.tags[slot];
        if (place(buckets_[other(hash, tag)], tag, bucket.homes[slot], bucket.flows[slot])) {
            bucket.tags[slot] = 0;
            return true;
        }
    }
    return false;
}

bool FlowTable::is_established(const FlowHot& hot) noexcept {
    constexpr uint8_t kBothFins = kStateFinLow | kStateFinHigh;
    if ((hot.state & kStateReset) != 0 || (hot.state & kBothFins) == kBothFins) {
        return false;
    }
    return (hot.state & kStateContinued) != 0 || (hot.packets[0] >= 2 && hot.packets[1] >= 2) ||
           uint64_t{hot.packets[0]} + hot.packets[1] >= kPacketsOneSided;
}

FlowIndex FlowTable::victim(uint64_t hash) noexcept {
    const bool buckets_full = is_full(first(hash)) && is_full(second(hash));
    return buckets_full ? victim_in_buckets(hash) : victim_anywhere(hash);
}

FlowIndex FlowTable::victim_in_buckets(uint64_t hash) noexcept {
    FlowIndex chosen = kNoFlow;
    bool chosen_established = false;
    for (const Bucket* bucket : {&first(hash), &second(hash)}) {
        for (const FlowIndex flow : bucket->flows) {
            ++victim_steps_;
            const bool established = is_established(hot_[flow]);
            const bool better =
                chosen == kNoFlow || (chosen_established && !established) ||
                (chosen_established == established && hot_[flow].last_ns < hot_[chosen].last_ns);
            if (better) {
                chosen = flow;
                chosen_established = established;
            }
        }
    }
    return chosen;
}

FlowIndex FlowTable::victim_anywhere(uint64_t hash) noexcept {
    assert(size_ == hot_.size());
    random_ ^= hash;
    FlowIndex chosen = kNoFlow;
    for (size_t step = 0; step < kVictimSteps; ++step) {
        ++victim_steps_;
        random_ = random_ * 6364136223846793005 + 1442695040888963407;
        const auto flow = static_cast<FlowIndex>(((random_ >> 32) * hot_.size()) >> 32);
        if (!is_established(hot_[flow])) {
            return flow;
        }
        if (chosen == kNoFlow || hot_[flow].last_ns < hot_[chosen].last_ns) {
            chosen = flow;
        }
    }
    return chosen;
}

void FlowTable::erase(FlowIndex flow, uint64_t hash) noexcept {
    assert((hot_[flow].state & kStateInUse) != 0);
    const uint16_t tag = tag_of(hash);
    for (Bucket* bucket : {&first(hash), &second(hash)}) {
        for (uint32_t slots = slots_with(*bucket, tag); slots != 0; slots &= slots - 1) {
            const int slot = std::countr_zero(slots);
            if (bucket->flows[slot] == flow) {
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

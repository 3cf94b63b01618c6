// Hot path.
#include "probe/flow_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

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
void populate(std::span<Part> parts) noexcept {
    proto::MappedMemory::populate(parts.data(), parts.size_bytes());
}

}  // namespace

FlowTable::FlowTable(std::span<Bucket> buckets,
                     std::span<FlowHot> hot,
                     std::span<FlowWarm> warm) noexcept
    : buckets_(buckets), hot_(hot), warm_(warm), mask_(buckets.size() - 1) {
    assert(std::has_single_bit(buckets.size()));
    assert(buckets.size() >= 2);
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

void FlowTable::prefetch_flow(FlowIndex flow) const noexcept {
    prefetch_lines(hot_[flow]);
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

bool FlowTable::place(Bucket& bucket, uint16_t tag, FlowIndex flow) noexcept {
    const uint32_t slots = slots_with(bucket, 0);
    if (slots == 0) {
        return false;
    }
    const auto slot = static_cast<size_t>(std::countr_zero(slots));
    bucket.tags[slot] = tag;
    bucket.flows[slot] = flow;
    return true;
}

FlowIndex FlowTable::insert(const FlowKey& key, uint64_t hash) noexcept {
    const bool from_free = free_ != kNoFlow;
    if (!from_free && fresh_ == hot_.size()) {
        return kNoFlow;
    }
    const FlowIndex flow = from_free ? free_ : fresh_;
    const uint16_t tag = tag_of(hash);
    if (!place(first(hash), tag, flow) && !place(second(hash), tag, flow)) {
        if (!make_room(hash)) {
            return kNoFlow;
        }
        place(first(hash), tag, flow);
    }
    if (from_free) {
        free_ = hot_[flow].wheel_next;
    } else {
        if (fresh_ == paged_) {
            want_pages();
        }
        ++fresh_;
    }
    ++size_;
    hot_[flow] = FlowHot{};
    hot_[flow].key = key;
    hot_[flow].state = kStateInUse;
    warm_[flow] = FlowWarm{};
    return flow;
}

void FlowTable::want_pages() noexcept {
    constexpr size_t kFewest = 32;
    constexpr size_t kMost = 512;
    // As many as there are: a table of few flows takes few pages. A system call for so many flows
    // replaces a fault for each page of theirs, and one that ended is taken before a fresh one.
    const size_t flows = std::min(hot_.size() - fresh_, std::clamp<size_t>(fresh_, kFewest, kMost));
    populate(hot_.subspan(fresh_, flows));
    populate(warm_.subspan(fresh_, flows));
    paged_ = fresh_ + static_cast<FlowIndex>(flows);
}

bool FlowTable::is_full(const Bucket& bucket) noexcept {
    return slots_with(bucket, 0) == 0;
}

bool FlowTable::make_room(uint64_t hash) noexcept {
    Bucket& bucket = first(hash);
    for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
        const uint16_t tag = bucket.tags[slot];
        if (place(buckets_[other(hash, tag)], tag, bucket.flows[slot])) {
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

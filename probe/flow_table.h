#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/flow.h"
#include "proto/mapped_memory.h"

// One partition's flows by key: buckets of one cache line with 16-bit tags, two candidate buckets a
// key, whole keys compared. Probing is bounded by two buckets whatever the keys are: where both are
// full and no flow of the first one can change to its other bucket, the caller must evict
// (victim()). Owned by one worker; memory is the caller's, private and zero. Pages come with the
// flows, and few flows stay in few buckets: that is what a small table's caches hold.

namespace curlew::probe {

class FlowTable {
  public:
    static constexpr size_t kBucketOctets = 64;
    static constexpr size_t kSlotsPerBucket = 8;
    // Flows that victim() looks at in a table that is full.
    static constexpr size_t kVictimSteps = 32;

    struct alignas(kBucketOctets) Bucket {
        uint16_t tags[kSlotsPerBucket];  // 0: empty
        FlowIndex flows[kSlotsPerBucket];
        uint16_t homes[kSlotsPerBucket];  // lowest bits of the hash: its place among more
    };
    static_assert(sizeof(Bucket) == kBucketOctets);
    // Among more than so many a slot does not know its place.
    static constexpr size_t kMostAfterFew = 65'536;

    FlowTable() = default;
    // `few` are used until half of their slots are taken; empty: none. Requires: buckets.size() is
    // a power of two from 2 on; so is few.size() unless 0, it is no larger, and buckets.size() is
    // at most kMostAfterFew then; hot.size() == warm.size(). Where packets wait, as those of a
    // capture do, many flows move into huge pages.
    FlowTable(std::span<Bucket> buckets,
              std::span<FlowHot> hot,
              std::span<FlowWarm> warm,
              std::span<Bucket> few = {},
              bool packets_wait = false) noexcept;

    void prefetch_bucket(uint64_t hash) const noexcept { __builtin_prefetch(&first(hash)); }

    // A flow that the tag makes likely, to be prefetched; kNoFlow when there is none. No key is
    // compared.
    FlowIndex likely(uint64_t hash) const noexcept {
        const Bucket& bucket = first(hash);
        const uint32_t slots = slots_with(bucket, tag_of(hash));
        return slots != 0 ? bucket.flows[std::countr_zero(slots)] : kNoFlow;
    }
    // For a hash without a likely flow: its other bucket, and the flow that it would become.
    void prefetch_new(uint64_t hash) const noexcept;
    // The flow that would be next after that one: a burst may begin two here.
    void prefetch_second_new() const noexcept;
    // For a flow that is to be erased in a while: both buckets.
    void prefetch_erase(uint64_t hash) const noexcept {
        __builtin_prefetch(&first(hash), 1);
        __builtin_prefetch(&second(hash), 1);
    }
    void prefetch_flow(FlowIndex flow) const noexcept;
    void prefetch_warm(FlowIndex flow) const noexcept;

    FlowIndex find(const FlowKey& key, uint64_t hash) const noexcept;

    // A new flow with its key set and all else as constructed. kNoFlow when the table or both
    // buckets are full. Requires: find() returned kNoFlow.
    FlowIndex insert(const FlowKey& key, uint64_t hash) noexcept;

    // Which flow should go so that a key with this hash finds room: one that is not established,
    // so that a flood of beginnings drives itself out. When the key's buckets are full it is the
    // one silent longest of those in them. Else the whole table is full, and any of its flows may
    // go: the first that is not established of up to kVictimSteps taken at random, or of only
    // established ones the one silent longest. A flow that begins has so as much time as all
    // others, and no run of established flows, however long, stands in the way.
    // Requires: insert() returned kNoFlow.
    FlowIndex victim(uint64_t hash) noexcept;

    // Both sides answered each other, or one went on and on; and it is not over. Neither a packet
    // with a forged sender nor what is sent back to it, again and again, gets so far.
    static bool is_established(const FlowHot& hot) noexcept;

    // Requires: the flow is in use and `hash` is its key's.
    void erase(FlowIndex flow, uint64_t hash) noexcept;

    FlowHot& hot(FlowIndex flow) noexcept { return hot_[flow]; }
    const FlowHot& hot(FlowIndex flow) const noexcept { return hot_[flow]; }
    FlowWarm& warm(FlowIndex flow) noexcept { return warm_[flow]; }
    const FlowWarm& warm(FlowIndex flow) const noexcept { return warm_[flow]; }

    size_t size() const noexcept { return size_; }
    size_t capacity() const noexcept { return hot_.size(); }
    // Flows from this index on were never used.
    FlowIndex fresh() const noexcept { return fresh_; }
    // Flows that victim() looked at so far: its cost.
    uint64_t victim_steps() const noexcept { return victim_steps_; }

  private:
    static uint16_t tag_of(uint64_t hash) noexcept {
        return static_cast<uint16_t>((hash >> 32) | 1);
    }
    // A flow's other bucket depends on the tag alone beside the one it is in, and is never that.
    uint64_t other(uint64_t bucket, uint16_t tag) const noexcept {
        return (bucket ^ (static_cast<uint64_t>(tag) * 0x5bd1e995)) & mask_;
    }
    Bucket& first(uint64_t hash) const noexcept { return buckets_[hash & mask_]; }
    Bucket& second(uint64_t hash) const noexcept { return buckets_[other(hash, tag_of(hash))]; }
    // Bit by slot. No branch: which slot a flow is in cannot be foretold.
    static uint32_t slots_with(const Bucket& bucket, uint16_t tag) noexcept {
        uint32_t slots = 0;
        for (size_t slot = 0; slot < kSlotsPerBucket; ++slot) {
            slots |= uint32_t{bucket.tags[slot] == tag} << slot;
        }
        return slots;
    }
    static bool is_full(const Bucket& bucket) noexcept;
    bool uses_few() const noexcept { return !more_buckets_.empty(); }
    void use_more() noexcept;
    bool place(Bucket& bucket, uint16_t tag, uint16_t home, FlowIndex flow) noexcept;
    bool place_somewhere(uint64_t hash, FlowIndex flow) noexcept;
    // Moves one flow of the hash's first bucket to that flow's other one. False: all are full.
    bool make_room(uint64_t hash) noexcept;
    FlowIndex victim_in_buckets(uint64_t hash) noexcept;
    FlowIndex victim_anywhere(uint64_t hash) noexcept;

    std::span<Bucket> buckets_;       // in use
    std::span<Bucket> more_buckets_;  // not yet in use, or empty
    std::span<FlowHot> hot_;
    std::span<FlowWarm> warm_;
    uint64_t mask_ = 0;
    size_t size_ = 0;
    FlowIndex fresh_ = 0;
    proto::PagedFront hot_pages_;
    proto::PagedFront warm_pages_;
    FlowIndex free_ = kNoFlow;  // linked through FlowHot::wheel_next
    uint64_t random_ = 0;       // a linear congruential sequence; the keyed hash goes in
    uint64_t victim_steps_ = 0;
};

}  // namespace curlew::probe

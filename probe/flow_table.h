#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/flow.h"

// One partition's flows by key: buckets of one cache line with 16-bit tags, two candidate buckets a
// key, whole keys compared. Probing is bounded by two buckets whatever the keys are: where both are
// full, the caller must evict (victim()). Owned by one worker; memory is the caller's and zero.

namespace curlew::probe {

class FlowTable {
  public:
    static constexpr size_t kBucketOctets = 64;
    static constexpr size_t kSlotsPerBucket = 8;

    struct alignas(kBucketOctets) Bucket {
        uint16_t tags[kSlotsPerBucket];  // 0: empty
        FlowIndex flows[kSlotsPerBucket];
        uint8_t padding[16];
    };
    static_assert(sizeof(Bucket) == kBucketOctets);

    FlowTable() = default;
    // Requires: buckets.size() is a power of two; hot.size() == warm.size().
    FlowTable(std::span<Bucket> buckets, std::span<FlowHot> hot, std::span<FlowWarm> warm) noexcept;

    void prefetch_bucket(uint64_t hash) const noexcept;

    // A flow that the tag makes likely, to be prefetched; kNoFlow when there is none. No key is
    // compared.
    FlowIndex likely(uint64_t hash) const noexcept;

    FlowIndex find(const FlowKey& key, uint64_t hash) const noexcept;

    // A new flow with its key set and all else as constructed. kNoFlow when the table or both
    // buckets are full. Requires: find() returned kNoFlow.
    FlowIndex insert(const FlowKey& key, uint64_t hash) noexcept;

    // Which flow should go so that a key with this hash finds room: among those in its two
    // buckets the one that had least traffic both ways, then the one silent longest. kNoFlow when
    // the buckets are empty, that is when only the table's capacity stands in the way.
    FlowIndex victim(uint64_t hash) const noexcept;

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

  private:
    static uint16_t tag_of(uint64_t hash) noexcept {
        return static_cast<uint16_t>((hash >> 32) | 1);
    }
    Bucket& first(uint64_t hash) const noexcept { return buckets_[hash & mask_]; }
    Bucket& second(uint64_t hash) const noexcept {
        // Depends on the tag alone beside the first, and is never the first itself.
        return buckets_[(hash ^ (static_cast<uint64_t>(tag_of(hash)) * 0x5bd1e995)) & mask_];
    }
    bool place(Bucket& bucket, uint16_t tag, FlowIndex flow) noexcept;

    std::span<Bucket> buckets_;
    std::span<FlowHot> hot_;
    std::span<FlowWarm> warm_;
    uint64_t mask_ = 0;
    size_t size_ = 0;
    FlowIndex fresh_ = 0;
    FlowIndex free_ = kNoFlow;  // linked through FlowHot::wheel_next
};

}  // namespace curlew::probe

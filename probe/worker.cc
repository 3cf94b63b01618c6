// Hot path.
#include "probe/worker.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

#include "probe/port.h"

namespace curlew::probe {

namespace {

// Blocks a flow may take on average before lists are cut: names and tunnels; with details packet
// list and first packets, too.
constexpr size_t blocks_per_flow(bool details) {
    return details ? 8 : 4;
}
// Blocks a flow may take on average before its messages are cut: 1 KiB. Few flows at once still
// have room for a record of the longest.
constexpr size_t kMessageBlocksPerFlow = 8;
constexpr size_t kMinimumMessageBlocks = 2 * kMaximumMessageOctets / kBlockOctets;
// Without details answers of DNS are kept, and others until they have told their names.
constexpr size_t kFlowsPerMessageBlock = 2;
constexpr size_t kFewestMessageBlocks = kMinimumMessageBlocks / 4;
// Flows with more than 65,535 octets of payload, as a part of all: one of so many.
constexpr size_t kFlowsPerLargeCounts = 4;
constexpr size_t kMinimumFlowsPerPartition = 64;
constexpr size_t kRecentStarts = 1024;
// Buckets for so many flows, a million, are taken at once, whatever comes. Where there are more,
// the first 131,072 flows are in few ones, which are a huge page together.
constexpr size_t kMostPopulatedOctets = size_t{32} << 20;
constexpr size_t kFewBuckets =
    proto::MappedMemory::kHugePageOctets / kPartitions / sizeof(FlowTable::Bucket);

// Partitions begin with their busiest flows. Powers of two apart in huge pages these would meet in
// the same few sets of a cache; so many lines further on each, 64 partitions take a set each.
constexpr size_t kSkewOctets = 17 * 64;

template <typename Part>
size_t skewed(size_t count) {
    static_assert(kSkewOctets % alignof(Part) == 0);
    return count * sizeof(Part) + kSkewOctets;
}

constexpr auto whole_pages = proto::MappedMemory::whole_pages;

size_t message_octets(size_t flows, bool details) {
    return kBlockOctets * (details ? std::max(flows * kMessageBlocksPerFlow, kMinimumMessageBlocks)
                                   : std::max(flows / kFlowsPerMessageBlock, kFewestMessageBlocks));
}

// What each partition needs, and where the parts stand: first what packets visit at random, of all
// partitions side by side, so that few pages hold it; then for each partition the rest.
struct TableLayout {
    TableLayout(uint64_t flow_capacity, bool details, size_t copy_buckets, size_t partitions)
        : flows(std::max<size_t>(flow_capacity / kPartitions, kMinimumFlowsPerPartition)),
          // Half full at capacity: then both buckets of a key are almost never full.
          buckets(std::bit_ceil(flows * 2 / FlowTable::kSlotsPerBucket)),
          copies(copy_buckets),
          few_at(whole_pages(partitions * skewed<FlowTable::Bucket>(buckets))),
          few_buckets(few_at <= kMostPopulatedOctets || buckets > FlowTable::kMostAfterFew
                          ? 0
                          : kFewBuckets),
          hot_at(few_at + whole_pages(partitions * few_buckets * sizeof(FlowTable::Bucket))),
          warm_at(hot_at + whole_pages(partitions * skewed<FlowHot>(flows))),
          copies_at(warm_at + whole_pages(partitions * skewed<FlowWarm>(flows))),
          rest_at(copies_at + whole_pages(partitions * skewed<CopyTable::Bucket>(copies))),
          detailed(details ? flows : 0),
          small_at(flows * blocks_per_flow(details) * kBlockOctets),
          middle_at(small_at + detailed * kSmallCountsOctets),
          large_at(middle_at + detailed * kMiddleCountsOctets),
          statistics_at(large_at + detailed / kFlowsPerLargeCounts * kLargeCountsOctets),
          messages_at(statistics_at + 2 * detailed * sizeof(SideStatistics)),
          recent_at(messages_at + message_octets(flows, details)),
          rest_octets(recent_at + skewed<RecentStart>(kRecentStarts)),
          octets(rest_at + partitions * rest_octets) {}

    PartitionMemory memory(uint8_t* at, size_t partition) const {
        uint8_t* rest = at + rest_at + partition * rest_octets;
        return {part<FlowTable::Bucket>(at, partition, buckets),
                part<FlowHot>(at + hot_at, partition, flows),
                part<FlowWarm>(at + warm_at, partition, flows),
                {reinterpret_cast<FlowTable::Bucket*>(at + few_at) + partition * few_buckets,
                 few_buckets},
                {{rest, small_at},
                 {rest + small_at, middle_at - small_at},
                 {rest + middle_at, large_at - middle_at},
                 {rest + large_at, statistics_at - large_at},
                 {rest + statistics_at, messages_at - statistics_at}},
                {rest + messages_at, recent_at - messages_at},
                {reinterpret_cast<RecentStart*>(rest + recent_at), kRecentStarts},
                part<CopyTable::Bucket>(at + copies_at, partition, copies)};
    }

    // What flows take of it as they come.
    std::array<std::span<const uint8_t>, 3> flow_memory(const uint8_t* at, size_t partition) const {
        const auto of = [at, partition](size_t region, size_t each) {
            return std::span<const uint8_t>(at + region + partition * each, each);
        };
        return {of(hot_at, skewed<FlowHot>(flows)),
                of(warm_at, skewed<FlowWarm>(flows)),
                of(rest_at, rest_octets)};
    }

    template <typename Part>
    static std::span<Part> part(uint8_t* region, size_t partition, size_t count) {
        return {reinterpret_cast<Part*>(region + partition * skewed<Part>(count)), count};
    }

    size_t flows;
    size_t buckets;
    size_t copies;
    size_t few_at;
    size_t few_buckets;  // of a partition
    size_t hot_at;
    size_t warm_at;
    size_t copies_at;
    size_t rest_at;
    size_t detailed;  // flows that may have details
    // Within a partition's rest.
    size_t small_at;
    size_t middle_at;
    size_t large_at;
    size_t statistics_at;
    size_t messages_at;
    size_t recent_at;
    size_t rest_octets;
    size_t octets;
};

size_t partitions_of(size_t worker, size_t workers) {
    return (kPartitions - worker + workers - 1) / workers;
}

TableLayout layout_of(const WorkerConfig& config, size_t partitions) {
    const bool finds_copies = config.meter.copies.action != CopyAction::off;
    return {config.flow_capacity,
            config.meter.details,
            finds_copies ? CopyTable::kBuckets : 0,
            partitions};
}

proto::MappedMemory table_memory(const WorkerConfig& config, const TableLayout& layout) {
    constexpr const char* kWhat = "flow table";
    if (config.memory == nullptr) {
        proto::MappedMemory memory(layout.octets, kWhat);
        // The first few dozen flows visit buckets everywhere: nobody shall wait for 2 MiB of zeros
        // with packets at the door. What flows take themselves is filled from the front.
        memory.want_huge_pages(0, layout.hot_at);
        if (layout.hot_at <= kMostPopulatedOctets) {
            proto::MappedMemory::populate(memory.data(), layout.hot_at);
        }
        return memory;
    }
    const size_t whole = whole_pages(layout.octets);
    return whole <= config.memory->octets() ? config.memory->cut_front(whole)
                                            : proto::MappedMemory::taken(whole, kWhat);
}

}  // namespace

uint64_t table_octets(const WorkerConfig& config, size_t workers) noexcept {
    uint64_t octets = 0;
    for (size_t worker = 0; worker < workers; ++worker) {
        octets += whole_pages(layout_of(config, partitions_of(worker, workers)).octets);
    }
    return octets;
}

uint64_t flow_capacity_in(uint64_t octets, bool details) noexcept {
    // The number of buckets is a power of two, so it may be nearly twice what is needed.
    constexpr uint64_t kBucketOctets =
        2 * 2 * sizeof(FlowTable::Bucket) / FlowTable::kSlotsPerBucket;
    constexpr uint64_t kTableOctets = kBucketOctets + sizeof(FlowHot) + sizeof(FlowWarm);
    constexpr uint64_t kLineRateOctets =
        kTableOctets + blocks_per_flow(false) * kBlockOctets + kBlockOctets / kFlowsPerMessageBlock;
    constexpr uint64_t kDatasetOctets =
        kTableOctets + blocks_per_flow(true) * kBlockOctets + kSmallCountsOctets +
        kMiddleCountsOctets + kLargeCountsOctets / kFlowsPerLargeCounts +
        2 * sizeof(SideStatistics) + kMessageBlocksPerFlow * kBlockOctets;
    // Each part begins a page of its own, and few buckets take one.
    constexpr uint64_t kHugePages = 6;
    const uint64_t fixed_octets = kPartitions * (CopyTable::kBuckets * sizeof(CopyTable::Bucket) +
                                                 kRecentStarts * sizeof(RecentStart) +
                                                 5 * kSkewOctets + message_octets(0, details)) +
                                  kHugePages * proto::MappedMemory::kHugePageOctets;
    const uint64_t for_flows = octets - std::min(octets, fixed_octets);
    return std::max<uint64_t>(for_flows / (details ? kDatasetOctets : kLineRateOctets),
                              kPartitions * kMinimumFlowsPerPartition);
}

Worker::Worker(const WorkerConfig& config,
               size_t index,
               size_t workers,
               const Inspector& inspector,
               const KeyedHash& hash)
    : scratch_(inspector.scanner()),
      digest_(hash),
      ring_(config.record_ring_octets),
      stages_(config.meter.stages),
      finds_copies_(config.meter.copies.action != CopyAction::off) {
    assert(index < workers);
    assert(workers <= kPartitions);
    if (config.recording.ring_octets != 0) {
        // Else it would be promised, and end the program as it is filled.
        proto::MappedMemory::want_available(config.recording.ring_octets, "recording's buffer");
        recording_.emplace(config.recording);
    }
    const size_t owned = partitions_of(index, workers);
    const TableLayout layout = layout_of(config, owned);
    memory_ = table_memory(config, layout);
    meters_.reserve(owned);
    flow_memory_.reserve(owned);
    for (size_t partition = index; partition < kPartitions; partition += workers) {
        slot_[partition] = static_cast<uint8_t>(meters_.size());
        flow_memory_.push_back(layout.flow_memory(memory_.data(), meters_.size()));
        meters_.emplace_back(config.meter,
                             layout.memory(memory_.data(), meters_.size()),
                             inspector,
                             hash,
                             digest_,
                             scratch_,
                             ring_);
    }
}

void Worker::process(std::span<const ParsedPacket> packets,
                     std::span<const uint64_t> hashes) noexcept {
    assert(packets.size() == hashes.size());
    assert(packets.size() <= kMaximumBurst);
    enter(stages_, Stage::look_up);
    std::array<FlowMeter*, kMaximumBurst> meters;
    std::array<FlowIndex, kMaximumBurst> likely;
    for (size_t i = 0; i < hashes.size(); ++i) {
        meters[i] = &meter(hashes[i]);
        meters[i]->prefetch_bucket(hashes[i]);
    }
    if (finds_copies_) {
        for (size_t i = 0; i < hashes.size(); ++i) {
            meters[i]->prefetch_copy(packets[i], hashes[i]);
        }
    }
    for (size_t i = 0; i < hashes.size(); ++i) {
        likely[i] = meters[i]->prefetch_flow(hashes[i]);
    }
    for (size_t i = 0; i < hashes.size(); ++i) {
        meters[i]->prefetch_details(likely[i], packets[i], hashes[i]);
    }
    for (size_t i = 0; i < hashes.size(); ++i) {
        meters[i]->prefetch_lists(likely[i], packets[i]);
    }
    enter(stages_, Stage::update);
    if (!recording_) {
        for (size_t i = 0; i < packets.size(); ++i) {
            meters[i]->add(packets[i], hashes[i], likely[i]);
        }
        return;
    }
    for (size_t i = 0; i < packets.size(); ++i) {
        const FlowIndex flow = meters[i]->add(packets[i], hashes[i], likely[i]);
        if (flow != kNoFlow) {
            recording_->offer(packets[i], meters[i]->hot(flow), meters[i]->warm(flow));
        }
    }
    recording_->flush();
}

void Worker::tick(uint64_t now_ns) noexcept {
    FlowMeter& meter = meters_[next_tick_];
    meter.tick(now_ns);
    round_swept_ns_ = std::min(round_swept_ns_, meter.swept_ns());
    if (++next_tick_ == meters_.size()) {
        next_tick_ = 0;
        swept_ns_.store(std::exchange(round_swept_ns_, kAllSwept), std::memory_order_release);
    }
}

void Worker::finish(uint64_t end_ns) noexcept {
    for (size_t i = 0; i < meters_.size(); ++i) {
        meters_[i].finish(end_ns);
        for (const std::span<const uint8_t> octets : flow_memory_[i]) {
            proto::MappedMemory::give_back(octets);
        }
    }
    swept_ns_.store(kAllSwept, std::memory_order_release);
}

FlowCounters Worker::counters() const noexcept {
    FlowCounters sum;
    for (const FlowMeter& meter : meters_) {
        sum.add(meter.counters());
    }
    return sum;
}

size_t Worker::flows() const noexcept {
    size_t sum = 0;
    for (const FlowMeter& meter : meters_) {
        sum += meter.flows();
    }
    return sum;
}

uint64_t Worker::victim_steps() const noexcept {
    uint64_t sum = 0;
    for (const FlowMeter& meter : meters_) {
        sum += meter.victim_steps();
    }
    return sum;
}

}  // namespace curlew::probe

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/flow_meter.h"
#include "probe/recording_lane.h"
#include "proto/mapped_memory.h"

// One worker: the partitions it owns, its scratch and its ring to the exporter. The flow table is
// always kPartitions pieces, each with memory and eviction of its own; how many workers share them
// changes no record.

namespace curlew::probe {

inline constexpr size_t kPartitions = 64;

inline size_t partition_of(uint64_t hash) noexcept {
    return static_cast<size_t>(hash >> 58);
}

struct WorkerConfig {
    FlowMeterConfig meter;
    uint64_t flow_capacity = 4'194'304;  // over all partitions, of all workers
    // Taken before, for the tables of all workers: each cuts its part off, and one for which there
    // is too little left takes its own. Null: but for the buckets of the tables, 16 octets for each
    // flow that has room, pages come as flows do.
    proto::MappedMemory* memory = nullptr;
    size_t record_ring_octets = size_t{4} << 20;
    RecordingLaneConfig recording;
};

// Flows for which that much memory is enough however much each holds: the tables of all workers
// when they have one together. At least what a table has without any.
uint64_t flow_capacity_in(uint64_t octets, bool details) noexcept;

// What the tables take of WorkerConfig::memory, whatever stands there now.
uint64_t table_octets(const WorkerConfig& config, size_t workers) noexcept;

class Worker {
  public:
    // Owns the partitions `index`, `index` + `workers`, ... Throws std::runtime_error when memory
    // cannot be had. Requires: inspector and hash outlive this.
    Worker(const WorkerConfig& config,
           size_t index,
           size_t workers,
           const Inspector& inspector,
           const KeyedHash& hash);

    // Meters a burst whose packets all belong to this worker. Hot path: allocates nothing.
    // Requires: packets.size() == hashes.size() <= kMaximumBurst.
    void process(std::span<const ParsedPacket> packets, std::span<const uint64_t> hashes) noexcept;

    // On a live line: the port's clock stands at `now_ns`. Looks after one partition, the next one
    // each time, so that flows of a quiet line end.
    void tick(uint64_t now_ns) noexcept;

    // Any thread: until when ticks have looked after all partitions. The records of flows that were
    // due before are in the ring.
    uint64_t swept_ns() const noexcept { return swept_ns_.load(std::memory_order_acquire); }

    // End of input at `end_ns`, as ArrivalClock tells it: every flow ends. What they took of the
    // memory goes back to the system, partition by partition, for whoever keeps their records needs
    // as much. Nothing is metered any more.
    void finish(uint64_t end_ns) noexcept;

    ByteRing& records() noexcept { return ring_; }
    // Null: nothing is recorded.
    RecordingLane* recording() noexcept { return recording_ ? &*recording_ : nullptr; }
    FlowCounters counters() const noexcept;
    // Of all partitions: flows in their tables, and what evictions cost (FlowTable).
    size_t flows() const noexcept;
    // Reserved for the tables; of what flows take, what was never needed is not taken.
    size_t memory_octets() const noexcept { return memory_.octets(); }
    uint64_t victim_steps() const noexcept;

  private:
    static constexpr uint64_t kAllSwept = ~uint64_t{0};

    FlowMeter& meter(uint64_t hash) noexcept { return meters_[slot_[partition_of(hash)]]; }

    proto::MappedMemory memory_;
    signatures::Scanner::Scratch scratch_;
    PacketDigest digest_;
    ByteRing ring_;
    std::optional<RecordingLane> recording_;
    std::vector<FlowMeter> meters_;
    std::vector<std::array<std::span<const uint8_t>, 3>> flow_memory_;  // of each of these
    std::array<uint8_t, kPartitions> slot_{};  // partition to index in meters_
    size_t next_tick_ = 0;                     // index in meters_
    uint64_t round_swept_ns_ = kAllSwept;      // of the partitions before that one
    std::atomic<uint64_t> swept_ns_{0};
    StageClock* stages_;
    bool finds_copies_;
};

}  // namespace curlew::probe

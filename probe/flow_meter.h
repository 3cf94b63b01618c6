#pragma once

#include <cstdint>
#include <span>

#include "probe/byte_ring.h"
#include "probe/copy_table.h"
#include "probe/counters.h"
#include "probe/expiry_wheel.h"
#include "probe/flow_features.h"
#include "probe/flow_table.h"
#include "probe/inspector.h"
#include "probe/keyed_hash.h"
#include "probe/message_store.h"
#include "probe/record_image.h"
#include "probe/stage_clock.h"

// One partition: a flow table, its features and its expiry. Where a flow is cut is decided by the
// times of its own packets, and by the receiver's clock when that has passed its timeout with a
// margin for packets that come late. A sweep ends what is so silent already, so that records do not
// wait for a next packet; whether it came before that packet changes no record.

namespace curlew::probe {

// 0 turns a timeout off.
struct Timeouts {
    uint64_t idle_tcp_ns = 300'000'000'000;
    uint64_t idle_other_ns = 60'000'000'000;
    uint64_t active_ns = 300'000'000'000;
    // How long a closed TCP flow still takes its last packets.
    uint64_t closed_ns = 5'000'000'000;
};

struct FlowMeterConfig {
    Timeouts timeouts;
    bool details = true;  // the dataset profile: lists, counts, first packets and messages
    PacketListConfig list;
    CopyConfig copies;
    bool wait_for_ring = true;     // false: a full ring loses the record, counted
    StageClock* stages = nullptr;  // of the thread that meters; null: none
};

// The beginning of a flow, remembered to number those of one key that begin in one microsecond.
struct RecentStart {
    uint64_t hash;
    uint64_t start_us;
    uint32_t ordinal;
};

struct PartitionMemory {
    std::span<FlowTable::Bucket> buckets;
    std::span<FlowHot> hot;
    std::span<FlowWarm> warm;
    std::span<FlowTable::Bucket> few_buckets;  // as FlowTable's
    FeatureMemory features;
    std::span<uint8_t> messages;          // blocks of a MessageStore
    std::span<RecentStart> recent;        // not empty
    std::span<CopyTable::Bucket> copies;  // empty where copies are not looked for
};

class FlowMeter {
  public:
    // Requires: inspector, hash, digest, scratch and ring outlive this; all are used by one thread
    // only, the first three being const. Throws std::bad_alloc.
    FlowMeter(const FlowMeterConfig& config,
              const PartitionMemory& memory,
              const Inspector& inspector,
              const KeyedHash& hash,
              const PacketDigest& digest,
              signatures::Scanner::Scratch& scratch,
              ByteRing& ring);

    void prefetch_bucket(uint64_t hash) const noexcept { table_.prefetch_bucket(hash); }
    // Requires: copies are looked for.
    void prefetch_copy(const ParsedPacket& packet, uint64_t hash) const noexcept {
        copies_.prefetch(packet, hash);
    }
    FlowIndex prefetch_flow(uint64_t hash) const noexcept;
    // The next two: what a flow so found refers to. For kNoFlow what a new one takes, and nothing.
    void prefetch_details(FlowIndex likely,
                          const ParsedPacket& packet,
                          uint64_t hash) const noexcept;
    void prefetch_lists(FlowIndex likely, const ParsedPacket& packet) const noexcept;

    // Meters one packet and says which flow it went into; kNoFlow: none, it was a copy to be
    // removed. `likely` is what prefetch_flow() said in this burst.
    FlowIndex add(const ParsedPacket& packet, uint64_t hash, FlowIndex likely) noexcept;

    // A flow that add() named, until the next packet.
    const FlowHot& hot(FlowIndex flow) const noexcept { return table_.hot(flow); }
    const FlowWarm& warm(FlowIndex flow) const noexcept { return table_.warm(flow); }

    // A live port's clock stands at `now_ns`: moves on with it though no packet came, and sweeps.
    void tick(uint64_t now_ns) noexcept;

    // Ends what has been idle at `now_ns`, at most a bounded number of flows.
    void sweep(uint64_t now_ns) noexcept;

    // All flows that were due by then are ended.
    uint64_t swept_ns() const noexcept { return swept_ns_; }

    // End of input at `end_ns`, as ArrivalClock tells it: ends every flow that is left.
    void finish(uint64_t end_ns) noexcept;

    FlowCounters counters() const noexcept;
    size_t flows() const noexcept { return table_.size(); }
    // What evictions cost: see FlowTable.
    uint64_t victim_steps() const noexcept { return table_.victim_steps(); }

  private:
    RecentStart& recent_start(uint64_t hash, uint64_t start_us) const noexcept;
    uint32_t take_ordinal(uint64_t hash, uint64_t start_ns) noexcept;
    uint64_t idle_timeout(const FlowHot& hot) const noexcept;
    uint64_t due_time(const FlowHot& hot) const noexcept;
    FlowIndex find_flow(const ParsedPacket& packet, uint64_t hash, FlowIndex likely) const noexcept;
    // Packets of the other side so far, copies not counted.
    uint32_t answers_to(const ParsedPacket& packet, FlowIndex flow) const noexcept;
    // Leaves a copy out of all counts but its own. `flow` may be kNoFlow.
    void remove_copy(const ParsedPacket& packet, FlowIndex flow) noexcept;
    void note_copy(const ParsedPacket& packet, FlowIndex flow) noexcept;
    // Whether it was silent for `idle`, its timeout, or the packet is from before that.
    bool is_over(const FlowHot& hot, const ParsedPacket& packet, uint64_t idle) const noexcept;
    // Why a packet at `time_ns` cannot belong to the flow's record; false when it can.
    bool is_cut(FlowIndex flow, const ParsedPacket& packet, FlowEndReason& reason) const noexcept;
    FlowIndex begin_flow(const ParsedPacket& packet, uint64_t hash) noexcept;
    void store_tunnels(FlowHot& hot, FlowWarm& warm, const ParsedPacket& packet) noexcept;
    void update(FlowIndex flow, const ParsedPacket& packet) noexcept;
    // The flow may have been closed by the packet, which is TCP's.
    void note_tcp_flags(FlowIndex flow, const ParsedPacket& packet) noexcept;
    // Of a packet that shows something new, its headers.
    void note_sender(FlowIndex flow, const ParsedPacket& packet) noexcept;
    // Payloads, where they may show something new, and what is kept in the dataset profile.
    void look_into(FlowIndex flow, const ParsedPacket& packet, bool is_new) noexcept;
    void keep_messages(FlowHot& hot, FlowWarm& warm, const ParsedPacket& packet) noexcept;
    void begin_record(FlowIndex flow) noexcept;
    // Writes the record out. The flow stays.
    void export_record(FlowIndex flow, FlowEndReason reason) noexcept;
    // What its sequence numbers say of lost segments, into the counters. Returns quality bits.
    uint16_t count_unseen(const FlowDetails& details) noexcept;
    void prefetch_due(FlowIndex next, bool is_first) const noexcept;
    void end_flow(FlowIndex flow, uint64_t hash, FlowEndReason reason) noexcept;
    // The flow's last record, and what it holds beside the table.
    void export_last(FlowIndex flow, FlowEndReason reason) noexcept;
    FlowEndReason natural_end(const FlowHot& hot) const noexcept;

    // First what every packet touches, from the beginning of a cache line on.
    alignas(64) FlowTable table_;
    uint64_t clock_ns_ = 0;  // how late it was at this partition's latest packet, or by a live port
    uint64_t swept_ns_ = 0;
    FlowMeterConfig config_;
    CopyTable copies_;
    FlowCounters counters_;
    ExpiryWheel wheel_;
    FlowFeatures features_;
    MessageStore messages_;
    std::span<RecentStart> recent_;
    const Inspector* inspector_;
    const KeyedHash* hash_;
    signatures::Scanner::Scratch* scratch_;
    ByteRing* ring_;
};

}  // namespace curlew::probe

#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "probe/block_chain.h"
#include "probe/block_pool.h"
#include "probe/flow.h"
#include "probe/flow_statistics.h"
#include "probe/packet_parser.h"

// The dataset profile's part of a record: packet list, byte counts, first packets, TCP beginnings,
// statistics.
// It lives in pooled blocks that a flow takes on need; where a pool is empty the record says so
// (kQualityListCut) and its counters go on. One partition's, one worker's.

namespace curlew::probe {

inline constexpr size_t kSmallCountsOctets = 256;
inline constexpr size_t kMiddleCountsOctets = 256 * sizeof(uint16_t);
inline constexpr size_t kLargeCountsOctets = 256 * sizeof(uint64_t);
inline constexpr uint16_t kMostListedPackets = 512;
// Joy's bounds (joy 3.0.3: NUM_PKT_LEN, idp=1300), so that lists can be compared.
inline constexpr uint16_t kListedPackets = 50;  // per direction, when not told otherwise
inline constexpr uint8_t kListedIpIds = 50;     // per direction
inline constexpr uint16_t kFirstPacketOctets = 1300;
inline constexpr size_t kTcpOptionOctets = 40;

// One listed packet.
struct PacketEntry {
    uint64_t time_ns;
    uint32_t payload_octets;
    uint16_t ip_id;
    uint8_t tcp_flags;
    uint8_t marks;  // the next three
};
static_assert(sizeof(PacketEntry) == 16);
inline constexpr uint8_t kListedPacket = 1;  // counts for the packet list
inline constexpr uint8_t kListedId = 2;      // counts for the list of IP ids
inline constexpr uint8_t kFromHigh = 4;

// What the packet list takes.
struct PacketListConfig {
    uint16_t packets = kListedPackets;  // per direction, at most kMostListedPackets
    bool all = false;                   // those without payload too, with their TCP flags
};

// From the packets of one side that begin a connection, see tcp_beginning().
struct TcpBeginning {
    uint32_t sequence;
    uint16_t window;
    uint8_t flags;          // of the first; 0: none seen
    uint8_t option_octets;  // of the last
    std::array<uint8_t, kTcpOptionOctets> options;
};
static_assert(sizeof(TcpBeginning) == 48);

// One block per record. All block references are index + 1, so that zero means none.
struct FlowDetails {
    std::array<uint64_t, 2> frame_octets;
    std::array<int64_t, 4> position_sums;  // sums of payload octets by position modulo 4
    uint64_t counted_octets;               // payload octets in the counts
    uint32_t packets;                      // chain of PacketEntry
    uint32_t packets_tail;
    uint32_t small_counts;                 // of one of these three: 256 octets,
    uint32_t middle_counts;                // once a count could pass 255: 256 16-bit counts,
    uint32_t large_counts;                 // once one could pass 65,535: 256 64-bit counts
    uint32_t tcp_beginnings;               // block of two TcpBeginning
    std::array<uint32_t, 2> first_packet;  // chain of octets
    std::array<uint16_t, 2> payload_offset;
    std::array<uint16_t, 2> listed_packets;
    std::array<uint8_t, 2> listed_ids;
    std::array<uint32_t, 2> statistics;  // block of SideStatistics
};
static_assert(sizeof(FlowDetails) <= kBlockOctets);

// What it lists, as configurations say it.
inline const char* name_of_listed(const PacketListConfig& list) noexcept {
    return list.all ? "all" : "payload";
}

struct FeatureMemory {
    std::span<uint8_t> blocks;
    std::span<uint8_t> small_counts;
    std::span<uint8_t> middle_counts;
    std::span<uint8_t> large_counts;
    std::span<uint8_t> statistics;
};

class FlowFeatures {
  public:
    FlowFeatures() = default;
    FlowFeatures(const PacketListConfig& list, const FeatureMemory& memory) noexcept;

    // Two stages ahead of add(): the details, and what they refer to.
    void prefetch_details(const FlowHot& hot) const noexcept;
    void prefetch_lists(const FlowHot& hot, const ParsedPacket& packet) const noexcept;
    // Of a chain, its first block.
    void prefetch_chain(uint32_t head) const noexcept;

    // Before an export: what no packet need have fetched.
    void prefetch_export(const FlowDetails& details) const noexcept;

    // Adds one packet to the record's details, which are taken when there are none yet.
    void add(FlowHot& hot, const ParsedPacket& packet) noexcept;

    // Gives back everything the record holds in blocks.
    void release(FlowHot& hot) noexcept;
    // Likewise, but for what the flow's next record has to know of the one that ended.
    void begin_record(FlowHot& hot) noexcept;

    // The record's details, or null.
    const FlowDetails* details(const FlowHot& hot) const noexcept;

    // Appends to a chain whose first and last block are given by reference (index + 1, 0: none).
    // False, and nothing appended, when there are not blocks enough.
    bool append(uint32_t& head, uint32_t& tail, std::span<const uint8_t> octets) noexcept;
    void release_chain(uint32_t& head) noexcept;

    // Calls `visit(std::span<const uint8_t>)` for each block of a chain.
    template <typename Visit>
    void visit_chain(uint32_t head, Visit&& visit) const {
        probe::visit_chain(blocks_, head, visit);
    }

    ChainLength chain(uint32_t head) const noexcept { return {&blocks_, head}; }

    // 256 counts of one, two or eight octets each; empty where nothing was counted.
    std::span<const uint8_t> counts(const FlowDetails& details) const noexcept;
    const TcpBeginning* tcp_beginnings(const FlowDetails& details) const noexcept;
    // Null before the side's first packet in the record.
    const SideStatistics* statistics(const FlowDetails& details, size_t side) const noexcept;
    // Null before the side's first packet in the flow; what was seen of its sequence numbers.
    SideStatistics* sequence(const FlowDetails& details, size_t side) const noexcept;

    // How often something was left out because a pool was empty.
    uint64_t shortages() const noexcept { return shortages_; }

  private:
    void release_lists(FlowDetails& details) noexcept;
    void add_to_lists(FlowHot& hot, FlowDetails& details, const ParsedPacket& packet) noexcept;
    void add_tcp_beginning(FlowHot& hot, FlowDetails& details, const ParsedPacket& packet) noexcept;
    void count_octets(FlowHot& hot, FlowDetails& details, const ParsedPacket& packet) noexcept;
    bool make_room(FlowDetails& details, uint64_t octets) noexcept;
    void count_packet(FlowHot& hot, FlowDetails& details, const ParsedPacket& packet) noexcept;

    PacketListConfig list_;
    ChainPool blocks_;
    BlockPool<kSmallCountsOctets> small_;
    BlockPool<kMiddleCountsOctets> middle_;
    BlockPool<kLargeCountsOctets> large_;
    BlockPool<sizeof(SideStatistics)> statistics_;
    uint64_t shortages_ = 0;
};

}  // namespace curlew::probe

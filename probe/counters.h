#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "probe/flow.h"
#include "probe/packet_parser.h"

// What is counted on the way from packet to record. Each struct has one writing thread, which gives
// copies of it away while it works (see Dispatcher::ledger()). Identities, held by tests, once all
// threads have ended:
//   offered by the port = metered + not metered by reason + filtered + lost by reason
//   records created = records handed to the exporter + records lost by reason

namespace curlew::probe {

// Before the flow table; written by the dispatching thread.
struct PacketCounters {
    std::array<uint64_t, static_cast<size_t>(ParseResult::count_)> by_result{};
    std::array<uint64_t, kPacketNoteCount> by_note{};
    uint64_t packets_lost_handing_over = 0;   // a worker's ring was full; not metered then
    uint64_t octets_metered = 0;              // IP total lengths
    uint64_t first_packet_ns = ~uint64_t{0};  // earliest; as it is here without a packet
    uint64_t last_packet_ns = 0;

    void add(const PacketCounters& other) noexcept {
        for (size_t i = 0; i < by_result.size(); ++i) {
            by_result[i] += other.by_result[i];
        }
        for (size_t i = 0; i < by_note.size(); ++i) {
            by_note[i] += other.by_note[i];
        }
        packets_lost_handing_over += other.packets_lost_handing_over;
        octets_metered += other.octets_metered;
        first_packet_ns = std::min(first_packet_ns, other.first_packet_ns);
        last_packet_ns = std::max(last_packet_ns, other.last_packet_ns);
    }
};

// Packets that were counted as metered and then not metered, as copies.
struct PacketsRemoved {
    uint64_t packets = 0;
    uint64_t octets = 0;  // IP total lengths
    std::array<uint64_t, kPacketNoteCount> by_note{};

    void add(const PacketsRemoved& other) noexcept {
        packets += other.packets;
        octets += other.octets;
        for (size_t i = 0; i < by_note.size(); ++i) {
            by_note[i] += other.by_note[i];
        }
    }
};

// In the flow table; written by the partition's worker.
struct FlowCounters {
    uint64_t packets = 0;
    uint64_t flows_created = 0;
    uint64_t records_created = 0;
    std::array<uint64_t, kFlowEndReasons> records_by_reason{};  // by FlowEndReason
    uint64_t records_lost = 0;                                  // the exporter's ring was full
    uint64_t list_shortages = 0;  // times something was left out for want of blocks
    uint64_t scans_failed = 0;
    // Of the sides of exported records whose sequence numbers were followed: payload, and what
    // unseen_octets() says.
    uint64_t tcp_octets_seen = 0;
    uint64_t tcp_octets_unseen = 0;
    uint64_t copies = 0;  // of the packets: metered, and copies of others
    PacketsRemoved removed;

    void add(const FlowCounters& other) noexcept {
        packets += other.packets;
        flows_created += other.flows_created;
        records_created += other.records_created;
        for (size_t i = 0; i < records_by_reason.size(); ++i) {
            records_by_reason[i] += other.records_by_reason[i];
        }
        records_lost += other.records_lost;
        list_shortages += other.list_shortages;
        scans_failed += other.scans_failed;
        tcp_octets_seen += other.tcp_octets_seen;
        tcp_octets_unseen += other.tcp_octets_unseen;
        copies += other.copies;
        removed.add(other.removed);
    }
};

}  // namespace curlew::probe

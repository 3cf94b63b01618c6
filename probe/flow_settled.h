#pragma once

#include <cstddef>
#include <cstdint>

#include "probe/flow.h"
#include "probe/flow_direction.h"
#include "probe/inspector.h"
#include "probe/message_pieces.h"
#include "probe/packet_parser.h"

// When a packet need not look at its flow's FlowWarm: most never do after a flow's first ones.

namespace curlew::probe {

inline bool has_icmp_type(uint8_t protocol) noexcept {
    return protocol == kProtocolIcmp || protocol == kProtocolIcmp6 || protocol == kProtocolIgmp;
}

// Whether the packet may add something to the flow's FlowWarm.
inline bool shows_new(const FlowHot& hot, const ParsedPacket& packet) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    const bool has_payload = packet.payload_captured_octets != 0 && packet.transport != nullptr;
    const int needed = (has_payload ? kSettledSender | kSettledPayload : kSettledSender) << side;
    return (hot.settled & needed) != needed || packet.ttl != hot.ttl_minimum[side] ||
           (packet.tcp_flags & kTcpSyn) != 0 || has_icmp_type(packet.key.protocol);
}

// After a packet that showed something new. Names are read on both sides from when a protocol is
// recognised on one, or while the rest of a message is awaited for them (`awaits_names`).
inline uint8_t settled_of(const FlowHot& hot, const FlowWarm& warm, bool awaits_names) noexcept {
    const bool names_over =
        (warm.protocol == 0 && !awaits_names) || hot.payload_packets >= kNamedPackets;
    const bool is_scanned = is_scanned_protocol(hot.key.protocol);
    // Each answer of DNS, and each client of DHCP, tells something new.
    const auto kind = static_cast<MessageKind>(warm.message_kind);
    const bool tells_more =
        hot.key.protocol == kProtocolUdp && (kind == MessageKind::dns || kind == MessageKind::dhcp);
    int settled = 0;
    for (const size_t side : {size_t{0}, size_t{1}}) {
        const bool payload_over =
            has_told_payloads(warm, side) && !tells_more &&
            (!is_scanned || (names_over && warm.inspected[side] >= kScannedPackets));
        settled |= (hot.packets[side] != 0 && warm.has_macs[side] != 0 ? kSettledSender : 0)
                   << side;
        settled |= (payload_over ? kSettledPayload : 0) << side;
    }
    return static_cast<uint8_t>(settled);
}

}  // namespace curlew::probe

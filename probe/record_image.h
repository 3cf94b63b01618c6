#pragma once

#include <cstdint>

#include "probe/flow.h"
#include "probe/flow_features.h"
#include "probe/message_pieces.h"

// A flow record on its way from a worker to the exporter: this header, then the sections in the
// order of their lengths here, each as it stood in the flow's blocks. Octets in a ByteRing; copy
// parts out, they are not aligned.

namespace curlew::probe {

struct RecordImage {
    FlowHot hot;
    FlowWarm warm;
    FlowDetails details;  // zero when has_details is 0; its block references mean nothing
    FlowEndReason end_reason = FlowEndReason::idle_timeout;
    uint8_t has_details = 0;
    uint8_t lists_all_packets = 0;  // those without payload too
    uint16_t quality = 0;           // proto Quality bits, all of them
    uint32_t names_octets = 0;      // StoredName entries, each with its text
    uint32_t messages_octets = 0;   // StoredPiece entries, each with its octets
    uint32_t tunnels_octets = 0;    // StoredTunnel entries, outermost first
    uint32_t packets_octets = 0;    // PacketEntry entries
    uint32_t first_packet_octets[2] = {0, 0};
    uint32_t tcp_octets = 0;                 // two TcpBeginning, or none
    uint32_t counts_octets = 0;              // 256 counts of one, two or eight octets each; or none
    uint32_t statistics_octets[2] = {0, 0};  // a SideStatistics, or none
};

inline constexpr size_t kLongestRecordImage =
    sizeof(RecordImage) + kMaximumMessageOctets + 32 * 1024;

}  // namespace curlew::probe

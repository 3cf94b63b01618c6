#pragma once

#include <cstdint>
#include <span>

#include "probe/flow.h"
#include "probe/packet_parser.h"

// Who began a flow (RFC 5103 section 3), and how the published datasets saw it. The two are kept
// apart: the record tells the first, the published label follows the second.

namespace curlew::probe {

// Values of proto DirectionSource.
enum class DirectionSource : uint8_t {
    syn = 1,           // the initiator sent a SYN
    synack = 2,        // the responder sent a SYN+ACK
    payload = 3,       // a request or answer was seen
    port = 4,          // TCP caught in the middle: the lower, well-known port answers
    first_packet = 5,  // the sender of the first packet seen
};

// What the published exporter made of one payload (joy 3.0.3, proto_identify.c): TLS hellos, HTTP
// requests and HTTP/1.1 answers over TCP; over UDP the DNS query pattern, which it took for a
// server's.
PublishedRole published_role(uint8_t protocol, std::span<const uint8_t> payload) noexcept;

// Takes note of what a packet says of the direction. Call for every packet of the flow, until
// nothing more can come of it: each side has sent one in this record, payloads have told, and it
// does not begin a connection.
void observe_direction(FlowWarm& warm, const ParsedPacket& packet, bool first_record) noexcept;

// Whether more payloads of the side tell nothing.
bool has_told_payloads(const FlowWarm& warm, size_t side) noexcept;

// Decides both views, once per flow, when its first record ends.
void decide_direction(const FlowHot& hot, FlowWarm& warm) noexcept;

}  // namespace curlew::probe

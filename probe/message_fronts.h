#pragma once

#include <cstdint>
#include <span>

#include "probe/message_pieces.h"
#include "probe/packet_parser.h"

// How messages begin. What a flow speaks is told by the signatures that hit (the hint); these look
// at the first octets of each payload of such a flow, and with a stricter eye at those of flows
// that nothing was recognised in, for a protocol may begin late (behind a proxy's answer, after
// STARTTLS) and a capture in the middle.

namespace curlew::probe {

// The kind that a signature's protocol stands for, by its name; none when no messages are kept.
MessageKind message_kind_of(const char* protocol) noexcept;

// Of a datagram's payload, by the hint or, where the octets alone say little, by port; none when
// its structure is not that of the protocol. Requires: UDP or IGMP, not a later fragment.
MessageKind datagram_kind(const ParsedPacket& packet, MessageKind hint) noexcept;

enum class FrontMatch : uint8_t { no, maybe, yes };

// A front is decided when this many octets are there.
inline constexpr size_t kFrontOctets = 16;

struct StreamFront {
    FrontMatch match = FrontMatch::no;  // maybe: the octets are too few to tell
    MessageKind kind = MessageKind::none;
    size_t before = 0;  // octets that stand before it: a proxy's header, empty lines
};

// Of octets that begin a segment or follow a message.
StreamFront stream_front(std::span<const uint8_t> octets, MessageKind hint) noexcept;

// Whether the front of these octets is one of a side that asks: a request of HTTP, a ClientHello.
bool is_of_who_asks(const StreamFront& front, std::span<const uint8_t> octets) noexcept;

// Which of DNS, mDNS and LLMNR a flow speaks, by the hint before the port. None: none of them. Over
// TCP nothing else tells: it has no front to see.
MessageKind dns_kind(const FlowKey& key, MessageKind hint) noexcept;

// Of a datagram of DNS, which may come at the port of multicast DNS all the same: by the hint, else
// by what unicast alone has (RFC 6762 sections 18.1 and 18.6 to 18.9).
bool is_multicast_dns(const FlowKey& key,
                      MessageKind hint,
                      std::span<const uint8_t> datagram) noexcept;

// A DNS header (RFC 1035 section 4.1.1) with counts that a message can have. Requires: that many
// octets.
inline constexpr size_t kDnsHeaderOctets = 12;
bool is_dns_header(std::span<const uint8_t> octets) noexcept;

}  // namespace curlew::probe

#pragma once

#include <array>
#include <cstdint>

#include "probe/flow_key.h"
#include "probe/port.h"
#include "probe/tunnel.h"

// From one PacketView to one small struct, or a counted reason. Nothing else leaves the parser.

namespace curlew::probe {

// Why a packet is not metered. Not ours: not IP, or no flow can be named.
enum class ParseResult : uint8_t {
    metered,
    not_ip,                   // ARP, spanning tree, EAPOL, LLDP, ...: any other ethertype or LLC
    link_header_truncated,    // captured octets end inside the link header or its tags
    ip_header_truncated,      // captured octets end inside the IP header
    ip_header_malformed,      // version, header length or total length contradict each other
    ip_extensions_malformed,  // IPv6 extension headers: a lying length, or more than the limit
    wifi_no_data,             // 802.11: management, control, or data frame without data
    wifi_protected,           // 802.11: encrypted
    wifi_fragment,            // 802.11: a frame's later fragment
    wifi_aggregated,          // 802.11: several packets in one frame
    wifi_bad_fcs,             // 802.11: damaged on the air, by what the capturing driver says
    link_type_unsupported,    // one interface's of a capture: its link type is none of ours
    count_,
};

// Name as it stands in the ledger, for example "not_ip".
const char* name_of(ParseResult result) noexcept;

// Bits of ParsedPacket::notes: the packet is metered, and this was seen.
enum PacketNote : uint16_t {
    kNoteTruncated = 1,           // captured shorter than its IP packet
    kNoteFragment = 2,            // any IP fragment, the first included
    kNoteLaterFragment = 4,       // offset is not 0: no transport header here
    kNoteTransportMalformed = 8,  // transport header absent, short or with a lying length
    kNoteMergedFrame = 16,        // IP packet longer than 1500 octets: merged by the capturing host
    kNoteLengthFromFrame = 32,    // IP total length 0 (segmentation offload): taken from the frame
    kNoteTunnelled = 64,          // the flow's packet was inside a tunnel
    kNoteTunnelTooDeep = 128,     // one tunnel more than are followed: stays in the flow around it
    kNoteTunnelNotIp = 256,       // a tunnel that carries no IP: a flow of the layer around it
    kNoteTunnelUnreadable = 512,  // likewise, the inside malformed or not captured
    kNoteTunnelFragment = 1024,   // a fragment of a tunnel's packet, see decapsulation.h
    kNoteTimeOutOfRange = 2048,   // stamped after kLatestTimeNs, or so long before 1970
    kNoteUntimed = 4096,          // has the time of the packet before, or 0
    // The IP header tells more octets than the frame had on the wire, which count: nobody takes it.
    kNoteLengthBeyondFrame = 8192,
};
inline constexpr int kPacketNoteCount = 14;

// Name of the note with the given bit number, for the ledger.
const char* name_of_note(int bit) noexcept;

inline constexpr uint16_t kNoVlan = 0xffff;

// Bits of ParsedPacket::tcp_flags (RFC 9293 section 3.1).
inline constexpr uint8_t kTcpFin = 1;
inline constexpr uint8_t kTcpSyn = 2;
inline constexpr uint8_t kTcpReset = 4;
inline constexpr uint8_t kTcpAck = 16;
inline constexpr uint8_t kTcpSynAck = kTcpSyn | kTcpAck;

// SYN or SYN+ACK when the flags begin a connection, whatever else they say of ECN or urgency (RFC
// 3168 section 6.1.1); else 0.
inline uint8_t tcp_beginning(uint8_t flags) noexcept {
    const auto kind = static_cast<uint8_t>(flags & (kTcpSynAck | kTcpFin | kTcpReset));
    return kind == kTcpSyn || kind == kTcpSynAck ? kind : uint8_t{0};
}

// A packet understood. Pointers reach into the PacketView's octets and die with its burst; only
// `transport` and the MACs may be null. Readable at `transport` is what ip_captured_octets leaves
// behind it.
struct ParsedPacket {
    FlowKey key;  // direction-free; ports are 0 unless TCP, UDP or SCTP
    uint64_t time_ns = 0;
    const uint8_t* frame = nullptr;  // the link header
    // MACs of the innermost frame that has some; null: none.
    const uint8_t* source_mac = nullptr;
    const uint8_t* destination_mac = nullptr;
    const uint8_t* ip = nullptr;           // innermost IP header
    const uint8_t* transport = nullptr;    // transport header; null in a later fragment
    const uint8_t* payload = nullptr;      // of the transport; of other protocols all after IP
    uint32_t ip_captured_octets = 0;       // readable at ip, padding not included
    uint32_t payload_captured_octets = 0;  // readable at payload
    uint32_t payload_octets = 0;           // by the IP length, captured or not
    uint32_t octets = 0;                   // IP total length (IPv6: header and payload)
    uint32_t frame_octets = 0;             // wire length of the frame, no FCS, no capture header
    uint32_t captured_octets = 0;          // readable at frame
    uint32_t wire_octets = 0;              // length of what is at frame on the wire
    uint32_t fragment_id = 0;              // IPv4 identification or IPv6 fragment identification
    uint16_t ip_id = 0;                    // IPv4 identification; 0 for IPv6
    uint16_t notes = 0;                    // PacketNote bits
    // Outer first; of the innermost Ethernet frame, or of what is around it while there is none.
    std::array<uint16_t, 2> vlans{kNoVlan, kNoVlan};
    // TCP: 0 where the header is malformed or cut before the end of the window field.
    uint32_t tcp_sequence = 0;
    uint32_t tcp_acknowledgement = 0;
    uint16_t tcp_window = 0;
    uint8_t tcp_flags = 0;          // FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128
    uint8_t tcp_header_octets = 0;  // 0 unless a whole TCP header was captured
    uint8_t tcp_option_octets = 0;  // behind 20 octets of it, as far as they were captured
    uint8_t ttl = 0;                // or IPv6 hop limit
    uint8_t class_of_service = 0;   // TOS or traffic class octet
    uint8_t icmp_type = 0;          // ICMP, ICMPv6, IGMP: first octet; code is the second
    uint8_t icmp_code = 0;
    bool from_low = true;  // the sender is the key's low endpoint
    uint8_t tunnel_count = 0;
    TunnelMarks tunnels;      // of these the first tunnel_count mean something
    uint16_t queue = 0;       // of the ports', in their order; set by the receiver
    uint64_t arrival_ns = 0;  // how late it was by the receiver's ArrivalClock; set by it
};

struct ParserConfig {
    bool key_vlan = false;    // the outermost VLAN id is part of the key
    bool decapsulate = true;  // go through tunnels, see decapsulation.h
};

// Understands one packet. Reads nothing past packet.captured_octets. `parsed` is written only when
// the result is `metered`. A later fragment has ports 0: FragmentTable gives it its flow's.
ParseResult parse_packet(const PacketView& packet,
                         const ParserConfig& config,
                         ParsedPacket& parsed) noexcept;

}  // namespace curlew::probe

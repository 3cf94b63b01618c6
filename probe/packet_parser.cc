// Hot path.
#include "probe/packet_parser.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "probe/decapsulation.h"
#include "probe/link_layer.h"
#include "probe/network_order.h"
#include "probe/packet_walk.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumExtensionHeaders = 16;
constexpr size_t kMaximumHopByHopOptions = 16;

constexpr uint32_t kIpv4HeaderOctets = 20;
constexpr uint32_t kIpv6HeaderOctets = 40;
constexpr uint32_t kTcpHeaderOctets = 20;
constexpr uint32_t kIcmpHeaderOctets = 8;

// IPv6 extension headers: IANA protocol numbers.
constexpr uint8_t kHopByHopOptions = 0;
constexpr uint8_t kRoutingHeader = 43;
constexpr uint8_t kFragmentHeader = 44;
constexpr uint8_t kAuthenticationHeader = 51;
constexpr uint8_t kDestinationOptions = 60;
constexpr uint8_t kHostIdentity = 139;
constexpr uint8_t kShim6 = 140;

void add_note(uint16_t& notes, bool condition, PacketNote note) noexcept {
    notes = static_cast<uint16_t>(notes | (condition ? note : 0));
}

// What stands behind the IP headers.
struct TransportPart {
    const uint8_t* at;
    uint32_t octets;    // by the IP length
    uint32_t captured;  // of these
};

// Nearly every frame has IP behind an Ethernet header and at most two tags (IEEE 802.1Q, see
// link_layer.cc). Everything else is false, and for a walk.
bool enter_common_frame(PacketPlace& place, std::array<uint16_t, 2>& vlans) noexcept {
    if (place.captured < kEthernetHeaderOctets) {
        return false;
    }
    uint16_t ethertype = read_16(place.at + 12);
    place.skip(kEthernetHeaderOctets);
    const auto is_ip = [&] { return ethertype == kEthertypeIpv4 || ethertype == kEthertypeIpv6; };
    for (size_t tags = 0; !is_ip() && tags < vlans.size(); ++tags) {
        if (!is_vlan_tag(ethertype) || place.captured < 4) {
            return false;
        }
        vlans[tags] = read_16(place.at) & 0x0fff;
        ethertype = read_16(place.at + 2);
        place.skip(4);
    }
    place.ip_version = ethertype == kEthertypeIpv4 ? 4 : 6;
    return is_ip();
}

// IPv4, RFC 791 section 3.1:
//   |Version| IHL  |Type of service|         Total length          |
//   |        Identification        |0|D|M|   Fragment offset       |
//   | Time to live |    Protocol   |        Header checksum        |
//   |                         Source address                      |
//   |                      Destination address                    |
//   |                     Options, to IHL words                   |
[[gnu::always_inline]] inline ParseResult read_ipv4(const PacketPlace& place,
                                                    NetworkLayer& network) noexcept {
    const uint8_t* ip = place.at;
    if (place.captured < kIpv4HeaderOctets) {
        return ParseResult::ip_header_truncated;
    }
    const uint32_t header_octets = (ip[0] & 0x0fu) * 4;
    const uint32_t total_length = read_16(ip + 2);
    // A host that lets its device cut large segments has no length to write yet.
    const bool from_frame = total_length == 0 && place.octets > header_octets;
    const uint32_t octets = from_frame ? place.octets : total_length;
    if (ip[0] >> 4 != 4 || header_octets < kIpv4HeaderOctets || octets < header_octets) {
        return ParseResult::ip_header_malformed;
    }
    if (place.captured < header_octets) {
        return ParseResult::ip_header_truncated;
    }
    const uint16_t fragment = read_16(ip + 6);
    add_note(network.notes, from_frame, kNoteLengthFromFrame);
    add_note(network.notes, (fragment & 0x3fff) != 0, kNoteFragment);
    add_note(network.notes, (fragment & 0x1fff) != 0, kNoteLaterFragment);
    add_note(network.notes, octets > place.octets, kNoteLengthBeyondFrame);
    network.ip = ip;
    network.octets = std::min(octets, place.octets);
    network.captured = std::min(place.captured, octets);
    network.header_octets = header_octets;
    network.fragment_id = read_16(ip + 4);
    network.protocol = ip[9];
    return ParseResult::metered;
}

bool is_extension(uint8_t protocol) noexcept {
    switch (protocol) {
        case kHopByHopOptions:
        case kRoutingHeader:
        case kFragmentHeader:
        case kAuthenticationHeader:
        case kDestinationOptions:
        case kHostIdentity:
        case kShim6:
            return true;
        default:
            return false;
    }
}

// RFC 8200 section 4.3: length in units of 8 octets after the first 8; section 4.5: 8 octets;
// RFC 4302 section 2.2: in units of 4 octets after the first 8. At least 8.
uint32_t extension_octets(uint8_t protocol, uint8_t length) noexcept {
    if (protocol == kFragmentHeader) {
        return 8;
    }
    return protocol == kAuthenticationHeader ? (length + 2u) * 4 : (length + 1u) * 8;
}

// Goes to the final protocol, or to the end of the headers that a later fragment has.
// Fragment header, RFC 8200 section 4.5:
//   | Next header  |   Reserved    |    Fragment offset      |Res|M|
//   |                        Identification                       |
ParseResult walk_extensions(NetworkLayer& network) noexcept {
    for (size_t i = 0; i <= kMaximumExtensionHeaders; ++i) {
        const uint8_t kind = network.protocol;
        if (!is_extension(kind)) {
            return ParseResult::metered;
        }
        const uint8_t* header = network.ip + network.header_octets;
        const uint32_t octets = network.octets - network.header_octets;
        const uint32_t captured = network.captured - network.header_octets;
        if (octets < 8) {
            return ParseResult::ip_extensions_malformed;
        }
        if (captured < 8) {
            return ParseResult::ip_header_truncated;
        }
        const uint32_t size = extension_octets(kind, header[1]);
        if (octets < size) {
            return ParseResult::ip_extensions_malformed;
        }
        if (captured < size) {
            return ParseResult::ip_header_truncated;
        }
        network.protocol = header[0];
        network.header_octets += size;
        if (kind == kFragmentHeader) {
            const uint16_t fragment = read_16(header + 2);
            network.fragment_id = read_32(header + 4);
            // Offset 0 and nothing more is a whole packet (RFC 6946).
            add_note(network.notes, (fragment & 0xfff9) != 0, kNoteFragment);
            if ((fragment & 0xfff8) != 0) {
                add_note(network.notes, true, kNoteLaterFragment);
                return ParseResult::metered;
            }
        }
    }
    return ParseResult::ip_extensions_malformed;
}

// RFC 2675 section 2: option c2, length 4. `header` is a hop-by-hop options header.
bool has_jumbo_option(const uint8_t* header, uint32_t captured) noexcept {
    if (captured < 8) {
        return false;
    }
    const uint32_t end = std::min(captured, extension_octets(kHopByHopOptions, header[1]));
    uint32_t at = 2;
    for (size_t i = 0; i < kMaximumHopByHopOptions && at + 2 <= end; ++i) {
        if (header[at] == 0xc2) {
            return header[at + 1] == 4;
        }
        at += header[at] == 0 ? 1 : 2u + header[at + 1];  // option 0, Pad1, has no length
    }
    return false;
}

// IPv6, RFC 8200 section 3:
//   |Version| Traffic class |              Flow label              |
//   |        Payload length         |  Next header  |   Hop limit   |
//   |                     Source address, 16                       |
//   |                   Destination address, 16                    |
[[gnu::always_inline]] inline ParseResult read_ipv6(const PacketPlace& place,
                                                    NetworkLayer& network) noexcept {
    const uint8_t* ip = place.at;
    if (place.captured < kIpv6HeaderOctets) {
        return ParseResult::ip_header_truncated;
    }
    if (ip[0] >> 4 != 6) {
        return ParseResult::ip_header_malformed;
    }
    const uint32_t payload_length = read_16(ip + 4);
    // A host that merges or cuts segments may leave the option out; then only the frame tells. TCP
    // is never without its header, and what pads a frame is shorter.
    const bool from_frame =
        payload_length == 0 &&
        (place.octets > kIpv6HeaderOctets + UINT16_MAX ||
         (ip[6] == kProtocolTcp && place.octets >= kIpv6HeaderOctets + kTcpHeaderOctets) ||
         (ip[6] == kHopByHopOptions &&
          has_jumbo_option(ip + kIpv6HeaderOctets, place.captured - kIpv6HeaderOctets)));
    add_note(network.notes, from_frame, kNoteLengthFromFrame);
    network.ip = ip;
    const uint32_t octets = from_frame ? place.octets : kIpv6HeaderOctets + payload_length;
    add_note(network.notes, octets > place.octets, kNoteLengthBeyondFrame);
    network.octets = std::min(octets, place.octets);
    network.captured = std::min(place.captured, network.octets);
    network.header_octets = kIpv6HeaderOctets;
    network.protocol = ip[6];
    return walk_extensions(network);
}

// Transports. Each returns the octets of the segment that are not payload.

uint32_t refuse_transport(const TransportPart& segment, ParsedPacket& parsed) noexcept {
    add_note(parsed.notes, true, kNoteTransportMalformed);
    return segment.octets;
}

// TCP, RFC 9293 section 3.1:
//   |          Source port          |       Destination port        |
//   |                        Sequence number                       |
//   |                    Acknowledgment number                     |
//   |Offset | Reserv|C|E|U|A|P|R|S|F|            Window             |
//   |           Checksum            |        Urgent pointer         |
// A receiver discards a segment whose offset lies, so its flags and numbers are not taken.
uint32_t read_tcp(const TransportPart& segment, ParsedPacket& parsed) noexcept {
    if (segment.octets < kTcpHeaderOctets) {
        return refuse_transport(segment, parsed);
    }
    if (segment.captured < 16) {
        return kTcpHeaderOctets;  // the offset was not captured, or little behind it
    }
    const uint8_t* tcp = segment.at;
    const uint32_t header_octets = (tcp[12] >> 4) * 4u;
    if (header_octets < kTcpHeaderOctets || header_octets > segment.octets) {
        return refuse_transport(segment, parsed);
    }
    parsed.tcp_sequence = read_32(tcp + 4);
    parsed.tcp_acknowledgement = read_32(tcp + 8);
    parsed.tcp_flags = tcp[13];
    parsed.tcp_window = read_16(tcp + 14);
    parsed.tcp_header_octets =
        static_cast<uint8_t>(segment.captured < header_octets ? 0 : header_octets);
    parsed.tcp_option_octets = static_cast<uint8_t>(
        std::clamp(segment.captured, kTcpHeaderOctets, header_octets) - kTcpHeaderOctets);
    return header_octets;
}

// UDP, RFC 768: source port 2, destination port 2, length 2, checksum 2. The payload is counted by
// the IP length. In a first fragment the length is the whole datagram's; in a packet without an IP
// length it may be 0 or a single segment's (RFC 2675 section 4).
uint32_t read_udp(const TransportPart& segment, ParsedPacket& parsed) noexcept {
    if (segment.octets < kUdpHeaderOctets) {
        return refuse_transport(segment, parsed);
    }
    const bool checked = segment.captured >= kUdpHeaderOctets &&
                         (parsed.notes & (kNoteFragment | kNoteLengthFromFrame)) == 0;
    if (checked) {
        const uint32_t length = read_16(segment.at + 4);
        add_note(parsed.notes,
                 length < kUdpHeaderOctets || length > segment.octets,
                 kNoteTransportMalformed);
    }
    return kUdpHeaderOctets;
}

// ICMP (RFC 792), ICMPv6 (RFC 4443 section 2.1), IGMP (RFC 2236 section 2): type 1, code 1, ...
void read_icmp_type(const TransportPart& segment, ParsedPacket& parsed) noexcept {
    if (segment.captured >= 2) {
        parsed.icmp_type = segment.at[0];
        parsed.icmp_code = segment.at[1];
    }
}

uint32_t read_transport(const TransportPart& segment,
                        uint8_t protocol,
                        ParsedPacket& parsed) noexcept {
    switch (protocol) {
        case kProtocolTcp:
            return read_tcp(segment, parsed);
        case kProtocolUdp:
            return read_udp(segment, parsed);
        case kProtocolIcmp:
        case kProtocolIcmp6:
            read_icmp_type(segment, parsed);
            return segment.octets < kIcmpHeaderOctets ? refuse_transport(segment, parsed)
                                                      : kIcmpHeaderOctets;
        case kProtocolIgmp:
            read_icmp_type(segment, parsed);
            return 0;
        default:
            return 0;
    }
}

// True when the sender compares as low: by address, then by port.
bool sender_is_low(const ParsedPacket& parsed, uint16_t sender, uint16_t receiver) noexcept {
    if (parsed.key.ip_version == 4) {
        const uint64_t source = static_cast<uint64_t>(read_32(parsed.ip + 12)) << 16 | sender;
        const uint64_t destination =
            static_cast<uint64_t>(read_32(parsed.ip + 16)) << 16 | receiver;
        return source <= destination;
    }
    const std::array<uint64_t, 3> source{read_64(parsed.ip + 8), read_64(parsed.ip + 16), sender};
    const std::array<uint64_t, 3> destination{
        read_64(parsed.ip + 24), read_64(parsed.ip + 32), receiver};
    return source <= destination;
}

// Requires: parsed.ip, and the key's version, are set.
void set_endpoints(ParsedPacket& parsed, uint16_t sender, uint16_t receiver) noexcept {
    const bool from_low = sender_is_low(parsed, sender, receiver);
    const bool ipv4 = parsed.key.ip_version == 4;
    const size_t address_octets = ipv4 ? 4 : 16;
    const uint8_t* source = parsed.ip + (ipv4 ? 12 : 8);
    const uint8_t* destination = source + address_octets;
    const uint8_t* low = from_low ? source : destination;
    const uint8_t* high = from_low ? destination : source;
    if (ipv4) {
        std::memcpy(parsed.key.low_address.data(), low, 4);
        std::memcpy(parsed.key.high_address.data(), high, 4);
    } else {
        std::memcpy(parsed.key.low_address.data(), low, 16);
        std::memcpy(parsed.key.high_address.data(), high, 16);
    }
    parsed.key.low_port = from_low ? sender : receiver;
    parsed.key.high_port = from_low ? receiver : sender;
    parsed.from_low = from_low;
}

// What not every packet has. The whole struct is not cleared at once: compilers do that by a string
// instruction that costs more than the parser, and every other field is set anyway.
void clear_transport(ParsedPacket& parsed) noexcept {
    parsed.transport = nullptr;
    parsed.tcp_sequence = 0;
    parsed.tcp_acknowledgement = 0;
    parsed.tcp_window = 0;
    parsed.tcp_flags = 0;
    parsed.tcp_header_octets = 0;
    parsed.tcp_option_octets = 0;
    parsed.icmp_type = 0;
    parsed.icmp_code = 0;
}

[[gnu::always_inline]] inline ParseResult read_ip(const PacketPlace& place,
                                                  NetworkLayer& network) noexcept {
    return place.ip_version == 4 ? read_ipv4(place, network) : read_ipv6(place, network);
}

// The same, for the callers that are not on the common way.
[[gnu::noinline]] ParseResult read_any_ip(const PacketPlace& place,
                                          NetworkLayer& network) noexcept {
    return read_ip(place, network);
}

[[gnu::always_inline]] inline bool may_be_tunnel(const NetworkLayer& network) noexcept {
    if (network.protocol == kProtocolTcp) {
        return false;
    }
    if (network.protocol != kProtocolUdp) {
        return is_tunnel_protocol(network.protocol);
    }
    const uint8_t* udp = network.ip + network.header_octets;
    return network.captured - network.header_octets >= 4 &&
           (network.notes & kNoteLaterFragment) == 0 &&
           may_be_tunnel_ports(read_16(udp), read_16(udp + 2));
}

// The innermost network identifier and 1, so that network 0 is not the untunnelled one.
uint32_t keyed_id(const PacketWalk& walk) noexcept {
    uint32_t id = 0;
    for (size_t i = 0; i < walk.tunnel_count; ++i) {
        const TunnelMark& mark = walk.tunnels[i];
        const bool keyed = mark.type == static_cast<uint8_t>(TunnelType::vxlan) ||
                           mark.type == static_cast<uint8_t>(TunnelType::geneve);
        id = keyed ? mark.id + 1 : id;
    }
    return id;
}

// Came over Ethernet, which of Linux's cooked captures the type of the device says (ARPHRD_ETHER).
[[gnu::noinline]] bool is_of_ethernet(const PacketView& packet) noexcept {
    constexpr uint16_t kEthernetDevice = 1;
    const auto says = [&packet](size_t at) {
        return packet.captured_octets >= at + 2 && read_16(packet.data + at) == kEthernetDevice;
    };
    return packet.link == LinkType::ethernet || (packet.link == LinkType::linux_sll && says(2)) ||
           (packet.link == LinkType::linux_sll2 && says(8));
}

PacketNote note_of(TunnelEntry entry) noexcept {
    switch (entry) {
        case TunnelEntry::not_ip:
            return kNoteTunnelNotIp;
        case TunnelEntry::too_deep:
            return kNoteTunnelTooDeep;
        default:
            return kNoteTunnelUnreadable;
    }
}

// Goes on from `network`, which may be a tunnel, to the innermost packet that can be read.
void decapsulate(PacketWalk& walk, NetworkLayer& network) noexcept {
    // Each step takes a tunnel's place, and there is no step without one.
    for (size_t steps = 0; steps <= kMaximumTunnels && may_be_tunnel(network); ++steps) {
        PacketWalk inner_walk = walk;
        const TunnelStep step = enter_tunnel(inner_walk, network);
        const bool is_fragment = (network.notes & kNoteFragment) != 0;
        NetworkLayer inner;
        const bool read = step.entry == TunnelEntry::inside &&
                          read_any_ip(inner_walk, inner) == ParseResult::metered &&
                          (inner.notes & kNoteLengthBeyondFrame) == 0;
        const bool later = (network.notes & kNoteLaterFragment) != 0;
        add_note(walk.notes, is_fragment && (read || later), kNoteTunnelFragment);
        if (!read) {
            const bool is_tunnel = step.entry != TunnelEntry::none && step.certain;
            add_note(walk.notes, is_tunnel, note_of(step.entry));
            return;
        }
        inner_walk.notes = walk.notes;
        walk = inner_walk;
        network = inner;
    }
}

// Sets all that stands at or behind the IP header. Requires: the fields of the frame are set.
void fill(const NetworkLayer& network, ParsedPacket& parsed) noexcept {
    const uint8_t* ip = network.ip;
    const bool ipv4 = parsed.key.ip_version == 4;
    parsed.ip = ip;
    parsed.octets = network.octets;
    parsed.ip_captured_octets = network.captured;
    parsed.fragment_id = network.fragment_id;
    parsed.ip_id = ipv4 ? read_16(ip + 4) : uint16_t{0};
    parsed.ttl = ipv4 ? ip[8] : ip[7];
    parsed.class_of_service = ipv4 ? ip[1] : static_cast<uint8_t>(read_16(ip) >> 4);
    parsed.key.protocol = network.protocol;
    uint16_t notes = network.notes | parsed.notes;
    add_note(notes, network.captured < network.octets, kNoteTruncated);
    parsed.notes = notes;

    const TransportPart segment{ip + network.header_octets,
                                network.octets - network.header_octets,
                                network.captured - network.header_octets};
    uint32_t header_octets = 0;
    uint16_t sender = 0;
    uint16_t receiver = 0;
    clear_transport(parsed);
    if ((network.notes & kNoteLaterFragment) == 0) {
        const uint8_t protocol = network.protocol;
        if (has_ports(protocol) && segment.captured >= 4) {
            sender = read_16(segment.at);
            receiver = read_16(segment.at + 2);
        }
        parsed.transport = segment.at;
        header_octets = read_transport(segment, protocol, parsed);
    }
    const uint32_t readable = std::min(header_octets, segment.captured);
    parsed.payload = segment.at + readable;
    parsed.payload_octets = segment.octets - header_octets;
    parsed.payload_captured_octets = segment.captured - readable;
    set_endpoints(parsed, sender, receiver);
}

// What the key has of the VLAN.
uint16_t keyed_vlan(const ParserConfig& config, uint16_t vlan) noexcept {
    return config.key_vlan && vlan != kNoVlan ? static_cast<uint16_t>(vlan + 1) : uint16_t{0};
}

// Any packet, from its first octet to its innermost IP header. When it is metered, all is set but
// what fill() sets.
[[gnu::noinline]] ParseResult walk_inwards(const PacketView& packet,
                                           const ParserConfig& config,
                                           NetworkLayer& network,
                                           ParsedPacket& parsed) noexcept {
    const uint32_t wire_octets = std::max(packet.wire_octets, packet.captured_octets);
    PacketWalk walk{
        {packet.data, packet.captured_octets, wire_octets}, packet.data, config.decapsulate};
    ParseResult result = enter_link(walk, packet.link);
    if (result == ParseResult::metered) {
        result = read_any_ip(walk, network);
    }
    if (result != ParseResult::metered) {
        return result;
    }
    if (config.decapsulate) {
        decapsulate(walk, network);
    }
    parsed.key = FlowKey{};
    parsed.key.ip_version = walk.ip_version;
    parsed.key.vlan = keyed_vlan(config, walk.outermost_vlan);
    parsed.key.tunnel_id = keyed_id(walk);
    parsed.frame_octets = wire_octets - walk.outside_octets;
    parsed.source_mac = walk.source_mac;
    parsed.destination_mac = walk.destination_mac;
    parsed.vlans = walk.vlans;
    parsed.notes = walk.notes;
    parsed.tunnel_count = walk.tunnel_count;
    if (walk.tunnel_count != 0) {
        parsed.tunnels = walk.tunnels;
        add_note(parsed.notes, true, kNoteTunnelled);
    }
    return ParseResult::metered;
}

}  // namespace

const char* name_of(ParseResult result) noexcept {
    static constexpr std::array<const char*, static_cast<size_t>(ParseResult::count_)> kNames{
        "metered",
        "not_ip",
        "link_header_truncated",
        "ip_header_truncated",
        "ip_header_malformed",
        "ip_extensions_malformed",
        "wifi_no_data",
        "wifi_protected",
        "wifi_fragment",
        "wifi_aggregated",
        "wifi_bad_fcs",
        "link_type_unsupported",
    };
    return kNames[static_cast<size_t>(result)];
}

const char* name_of_note(int bit) noexcept {
    static constexpr std::array<const char*, kPacketNoteCount> kNames{
        "truncated",
        "fragment",
        "later_fragment",
        "transport_malformed",
        "merged_frame",
        "length_from_frame",
        "tunnelled",
        "tunnel_too_deep",
        "tunnel_not_ip",
        "tunnel_unreadable",
        "tunnel_fragment",
        "time_out_of_range",
        "untimed",
        "length_beyond_frame",
    };
    return kNames[static_cast<size_t>(bit)];
}

ParseResult parse_packet(const PacketView& packet,
                         const ParserConfig& config,
                         ParsedPacket& parsed) noexcept {
    const uint32_t wire_octets = std::max(packet.wire_octets, packet.captured_octets);
    PacketPlace place{packet.data, packet.captured_octets, wire_octets};
    std::array<uint16_t, 2> vlans{kNoVlan, kNoVlan};
    NetworkLayer network;
    // The common way stays in registers; whoever leaves it begins again.
    bool is_common = packet.link == LinkType::ethernet && enter_common_frame(place, vlans);
    if (is_common) {
        const ParseResult result = read_ip(place, network);
        if (result != ParseResult::metered) {
            return result;
        }
        is_common = !config.decapsulate || !may_be_tunnel(network);
    }
    if (is_common) {
        parsed.key = FlowKey{};
        parsed.key.ip_version = place.ip_version;
        parsed.key.vlan = keyed_vlan(config, vlans[0]);
        parsed.frame_octets = wire_octets;
        parsed.source_mac = packet.data + 6;
        parsed.destination_mac = packet.data;
        parsed.vlans = vlans;
        parsed.notes = 0;
        parsed.tunnel_count = 0;
    } else {
        NetworkLayer innermost;
        const ParseResult result = walk_inwards(packet, config, innermost, parsed);
        if (result != ParseResult::metered) {
            return result;
        }
        network = innermost;
    }
    parsed.time_ns = packet.time_ns;
    parsed.frame = packet.data;
    parsed.captured_octets = packet.captured_octets;
    parsed.wire_octets = wire_octets;
    const bool merged = network.octets > kMaximumEthernetPayload && is_of_ethernet(packet);
    add_note(parsed.notes, merged, kNoteMergedFrame);
    add_note(parsed.notes, packet.time_ns == kLatestTimeNs, kNoteTimeOutOfRange);
    add_note(parsed.notes, packet.is_untimed, kNoteUntimed);
    fill(network, parsed);
    return ParseResult::metered;
}

}  // namespace curlew::probe

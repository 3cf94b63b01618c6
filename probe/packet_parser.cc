// Hot path.
#include "probe/packet_parser.h"

#include <algorithm>
#include <array>

namespace curlew::probe {

namespace {

constexpr size_t kMaximumVlanTags = 8;
constexpr size_t kMaximumExtensionHeaders = 16;
constexpr size_t kMaximumHopByHopOptions = 16;
// Longest IP packet of an Ethernet frame that no host merged (RFC 894).
constexpr uint32_t kMaximumEthernetPayload = 1500;

constexpr uint32_t kIpv4HeaderOctets = 20;
constexpr uint32_t kIpv6HeaderOctets = 40;
constexpr uint32_t kTcpHeaderOctets = 20;
constexpr uint32_t kUdpHeaderOctets = 8;
constexpr uint32_t kIcmpHeaderOctets = 8;

constexpr uint16_t kEthertypeIpv4 = 0x0800;
constexpr uint16_t kEthertypeIpv6 = 0x86dd;
constexpr uint16_t kSllProtocolLlc = 4;

// IPv6 extension headers: IANA protocol numbers.
constexpr uint8_t kHopByHopOptions = 0;
constexpr uint8_t kRoutingHeader = 43;
constexpr uint8_t kFragmentHeader = 44;
constexpr uint8_t kAuthenticationHeader = 51;
constexpr uint8_t kDestinationOptions = 60;
constexpr uint8_t kHostIdentity = 139;
constexpr uint8_t kShim6 = 140;

uint16_t read_16(const uint8_t* at) noexcept {
    return static_cast<uint16_t>(at[0] << 8 | at[1]);
}

uint32_t read_32(const uint8_t* at) noexcept {
    return static_cast<uint32_t>(read_16(at)) << 16 | read_16(at + 2);
}

uint64_t read_64(const uint8_t* at) noexcept {
    return static_cast<uint64_t>(read_32(at)) << 32 | read_32(at + 4);
}

void add_note(uint16_t& notes, bool condition, PacketNote note) noexcept {
    notes = static_cast<uint16_t>(notes | (condition ? note : 0));
}

// What is left of the frame behind the link headers passed so far.
struct LinkPayload {
    const uint8_t* at;
    uint32_t captured;
    uint8_t ip_version = 0;  // as the link layer tells it
    std::array<uint16_t, 2> vlans{kNoVlan, kNoVlan};

    void skip(uint32_t octets) noexcept {
        at += octets;
        captured -= octets;
    }
};

// The IP layer, checked: every length here holds.
struct NetworkLayer {
    const uint8_t* ip = nullptr;
    uint32_t octets = 0;         // by the IP length
    uint32_t captured = 0;       // of these; at least header_octets
    uint32_t header_octets = 0;  // IPv6: extension headers included
    uint32_t fragment_id = 0;
    uint16_t notes = 0;
    uint8_t protocol = 0;
};

// What stands behind the IP headers.
struct Segment {
    const uint8_t* at;
    uint32_t octets;    // by the IP length
    uint32_t captured;  // of these
};

// Link layers. Each returns `metered` with ip_version set and `link` at the IP header.

ParseResult enter_ip_ethertype(LinkPayload& link, uint16_t ethertype) noexcept {
    const bool is_ip = ethertype == kEthertypeIpv4 || ethertype == kEthertypeIpv6;
    link.ip_version = ethertype == kEthertypeIpv4 ? 4 : 6;
    return is_ip ? ParseResult::metered : ParseResult::not_ip;
}

// LLC with SNAP, RFC 1042: aa aa 03, organisation 00 00 00, ethertype. All other LLC is not IP.
ParseResult enter_llc(LinkPayload& link) noexcept {
    if (link.captured < 3) {
        return ParseResult::link_header_truncated;
    }
    if (link.at[0] != 0xaa || link.at[1] != 0xaa || link.at[2] != 0x03) {
        return ParseResult::not_ip;
    }
    if (link.captured < 8) {
        return ParseResult::link_header_truncated;
    }
    const uint32_t organisation = read_32(link.at + 2) & 0xffffff;
    const uint16_t ethertype = read_16(link.at + 6);
    link.skip(8);
    return organisation == 0 ? enter_ip_ethertype(link, ethertype) : ParseResult::not_ip;
}

bool is_vlan_tag(uint16_t ethertype) noexcept {
    return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

// IEEE 802.1Q, behind the ethertype that announces it:
//   |PCP 3|D|      VLAN id 12       |     next ethertype 16         |
// False where the captured octets end in a tag.
bool pass_vlan_tags(LinkPayload& link, uint16_t& ethertype) noexcept {
    for (size_t tags = 0; tags < kMaximumVlanTags && is_vlan_tag(ethertype); ++tags) {
        if (link.captured < 4) {
            return false;
        }
        if (tags < link.vlans.size()) {
            link.vlans[tags] = read_16(link.at) & 0x0fff;
        }
        ethertype = read_16(link.at + 2);
        link.skip(4);
    }
    return true;
}

// Ethernet: destination 6, source 6, ethertype 2. Up to 1500 it is a length and LLC follows
// (IEEE 802.3 section 3.2.6).
ParseResult enter_ethernet(LinkPayload& link) noexcept {
    if (link.captured < 14) {
        return ParseResult::link_header_truncated;
    }
    uint16_t ethertype = read_16(link.at + 12);
    link.skip(14);
    if (is_vlan_tag(ethertype) && !pass_vlan_tags(link, ethertype)) {
        return ParseResult::link_header_truncated;
    }
    return ethertype <= kMaximumEthernetPayload ? enter_llc(link)
                                                : enter_ip_ethertype(link, ethertype);
}

// Linux cooked captures: an ethertype at `protocol_at`, or one of Linux's own small numbers.
ParseResult enter_cooked(LinkPayload& link, uint32_t octets, uint32_t protocol_at) noexcept {
    if (link.captured < octets) {
        return ParseResult::link_header_truncated;
    }
    uint16_t ethertype = read_16(link.at + protocol_at);
    link.skip(octets);
    if (is_vlan_tag(ethertype) && !pass_vlan_tags(link, ethertype)) {
        return ParseResult::link_header_truncated;
    }
    return ethertype == kSllProtocolLlc ? enter_llc(link) : enter_ip_ethertype(link, ethertype);
}

// PPP, RFC 1661 section 2: address ff and control 03 where framed as in HDLC (RFC 1662), then the
// protocol, in one octet if that is odd (section 6.5; ff is no protocol, so that it is not taken
// for one).
ParseResult enter_ppp(LinkPayload& link) noexcept {
    if (link.captured > 0 && link.at[0] == 0xff) {
        if (link.captured < 2) {
            return ParseResult::link_header_truncated;
        }
        if (link.at[1] != 0x03) {
            return ParseResult::not_ip;
        }
        link.skip(2);
    }
    const uint32_t protocol_octets = link.captured > 0 && (link.at[0] & 1) != 0 ? 1 : 2;
    if (link.captured < protocol_octets) {
        return ParseResult::link_header_truncated;
    }
    const uint16_t protocol = protocol_octets == 1 ? link.at[0] : read_16(link.at);
    link.skip(protocol_octets);
    link.ip_version = protocol == 0x21 ? 4 : 6;
    return protocol == 0x21 || protocol == 0x57 ? ParseResult::metered : ParseResult::not_ip;
}

// BSD loopback: the capturing host's address family, in that host's byte order. Families are
// small numbers, so the order shows. IPv6 is 24, 28 or 30 on the BSDs, 10 on Linux.
ParseResult enter_loopback(LinkPayload& link) noexcept {
    if (link.captured < 4) {
        return ParseResult::link_header_truncated;
    }
    const uint32_t as_read = read_32(link.at);
    const uint32_t family = as_read > 0xffff ? __builtin_bswap32(as_read) : as_read;
    link.skip(4);
    const bool ipv6 = family == 10 || family == 24 || family == 28 || family == 30;
    link.ip_version = ipv6 ? 6 : 4;
    return ipv6 || family == 2 ? ParseResult::metered : ParseResult::not_ip;
}

ParseResult enter_raw_ip(LinkPayload& link) noexcept {
    if (link.captured == 0) {
        return ParseResult::ip_header_truncated;
    }
    link.ip_version = link.at[0] >> 4;
    return link.ip_version == 4 || link.ip_version == 6 ? ParseResult::metered
                                                        : ParseResult::ip_header_malformed;
}

ParseResult enter_link(LinkPayload& link, LinkType type) noexcept {
    switch (type) {
        case LinkType::ethernet:
            return enter_ethernet(link);
        case LinkType::raw_ip:
            return enter_raw_ip(link);
        case LinkType::null_loopback:
            return enter_loopback(link);
        case LinkType::linux_sll:
            return enter_cooked(link, 16, 14);
        case LinkType::linux_sll2:
            return enter_cooked(link, 20, 0);
        case LinkType::ppp:
            return enter_ppp(link);
    }
    return ParseResult::not_ip;
}

// IPv4, RFC 791 section 3.1:
//   |Version| IHL  |Type of service|         Total length          |
//   |        Identification        |0|D|M|   Fragment offset       |
//   | Time to live |    Protocol   |        Header checksum        |
//   |                         Source address                      |
//   |                      Destination address                    |
//   |                     Options, to IHL words                   |
ParseResult read_ipv4(const LinkPayload& link, uint32_t wire, NetworkLayer& network) noexcept {
    const uint8_t* ip = link.at;
    if (link.captured < kIpv4HeaderOctets) {
        return ParseResult::ip_header_truncated;
    }
    const uint32_t header_octets = (ip[0] & 0x0fu) * 4;
    const uint32_t total_length = read_16(ip + 2);
    // A host that lets its device cut large segments has no length to write yet.
    const bool from_frame = total_length == 0 && wire > header_octets;
    const uint32_t octets = from_frame ? wire : total_length;
    if (ip[0] >> 4 != 4 || header_octets < kIpv4HeaderOctets || octets < header_octets) {
        return ParseResult::ip_header_malformed;
    }
    if (link.captured < header_octets) {
        return ParseResult::ip_header_truncated;
    }
    const uint16_t fragment = read_16(ip + 6);
    add_note(network.notes, from_frame, kNoteLengthFromFrame);
    add_note(network.notes, (fragment & 0x3fff) != 0, kNoteFragment);
    add_note(network.notes, (fragment & 0x1fff) != 0, kNoteLaterFragment);
    network.ip = ip;
    network.octets = octets;
    network.captured = std::min(link.captured, octets);
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
ParseResult read_ipv6(const LinkPayload& link, uint32_t wire, NetworkLayer& network) noexcept {
    const uint8_t* ip = link.at;
    if (link.captured < kIpv6HeaderOctets) {
        return ParseResult::ip_header_truncated;
    }
    if (ip[0] >> 4 != 6) {
        return ParseResult::ip_header_malformed;
    }
    const uint32_t payload_length = read_16(ip + 4);
    const bool from_frame =
        payload_length == 0 && ip[6] == kHopByHopOptions &&
        has_jumbo_option(ip + kIpv6HeaderOctets, link.captured - kIpv6HeaderOctets);
    add_note(network.notes, from_frame, kNoteLengthFromFrame);
    network.ip = ip;
    network.octets = from_frame ? wire : kIpv6HeaderOctets + payload_length;
    network.captured = std::min(link.captured, network.octets);
    network.header_octets = kIpv6HeaderOctets;
    network.protocol = ip[6];
    return walk_extensions(network);
}

// Transports. Each returns the octets of the segment that are not payload.

uint32_t refuse_transport(const Segment& segment, ParsedPacket& parsed) noexcept {
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
uint32_t read_tcp(const Segment& segment, ParsedPacket& parsed) noexcept {
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
    return header_octets;
}

// UDP, RFC 768: source port 2, destination port 2, length 2, checksum 2. The payload is counted by
// the IP length. In a first fragment the length is the whole datagram's; in a packet without an IP
// length it may be 0 or a single segment's (RFC 2675 section 4).
uint32_t read_udp(const Segment& segment, ParsedPacket& parsed) noexcept {
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
void read_icmp_type(const Segment& segment, ParsedPacket& parsed) noexcept {
    if (segment.captured >= 2) {
        parsed.icmp_type = segment.at[0];
        parsed.icmp_code = segment.at[1];
    }
}

uint32_t read_transport(const Segment& segment, uint8_t protocol, ParsedPacket& parsed) noexcept {
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
    parsed.icmp_type = 0;
    parsed.icmp_code = 0;
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
    uint16_t notes = network.notes;
    add_note(notes, network.captured < network.octets, kNoteTruncated);
    add_note(notes, parsed.ethernet && network.octets > kMaximumEthernetPayload, kNoteMergedFrame);
    parsed.notes = notes;

    const Segment segment{ip + network.header_octets,
                          network.octets - network.header_octets,
                          network.captured - network.header_octets};
    uint32_t header_octets = 0;
    uint16_t sender = 0;
    uint16_t receiver = 0;
    clear_transport(parsed);
    if ((network.notes & kNoteLaterFragment) == 0) {
        const uint8_t protocol = network.protocol;
        if ((protocol == kProtocolTcp || protocol == kProtocolUdp) && segment.captured >= 4) {
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

}  // namespace

const char* name_of(ParseResult result) noexcept {
    static constexpr std::array<const char*, static_cast<size_t>(ParseResult::count_)> kNames{
        "metered",
        "not_ip",
        "link_header_truncated",
        "ip_header_truncated",
        "ip_header_malformed",
        "ip_extensions_malformed",
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
    };
    return kNames[static_cast<size_t>(bit)];
}

ParseResult parse_packet(const PacketView& packet,
                         const ParserConfig& config,
                         ParsedPacket& parsed) noexcept {
    LinkPayload link{packet.data, packet.captured_octets};
    const ParseResult link_result = enter_link(link, packet.link);
    if (link_result != ParseResult::metered) {
        return link_result;
    }
    const uint32_t wire_octets = std::max(packet.wire_octets, packet.captured_octets);
    const uint32_t wire = wire_octets - (packet.captured_octets - link.captured);
    NetworkLayer network;
    const ParseResult result =
        link.ip_version == 4 ? read_ipv4(link, wire, network) : read_ipv6(link, wire, network);
    if (result != ParseResult::metered) {
        return result;
    }
    parsed.key = FlowKey{};
    parsed.time_ns = packet.time_ns;
    parsed.frame = packet.data;
    parsed.frame_octets = wire_octets;
    parsed.vlans = link.vlans;
    parsed.ethernet = packet.link == LinkType::ethernet;
    parsed.key.ip_version = link.ip_version;
    if (config.key_vlan && link.vlans[0] != kNoVlan) {
        parsed.key.vlan = static_cast<uint16_t>(link.vlans[0] + 1);
    }
    fill(network, parsed);
    return ParseResult::metered;
}

}  // namespace curlew::probe

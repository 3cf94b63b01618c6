// Hot path.
#include "probe/decapsulation.h"

#include "probe/link_layer.h"
#include "probe/network_order.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumLabels = 16;
constexpr size_t kMaximumRoutingEntries = 16;
constexpr size_t kMaximumGtpExtensions = 8;
constexpr uint32_t kLongestPacket = 65535;

constexpr uint16_t kEthertypeBridged = 0x6558;  // transparent Ethernet bridging
constexpr uint16_t kEthertypePpp = 0x880b;
constexpr uint16_t kEthertypeErspan = 0x88be;  // types I and II
constexpr uint16_t kEthertypeErspan3 = 0x22eb;
constexpr uint16_t kEthertypeWccp = 0x883e;

// An IP header with an IP version, and lengths that fit what is there.
bool is_plausible_ip(const PacketWalk& walk) noexcept {
    if (walk.captured >= 20 && walk.at[0] >> 4 == 4) {
        const uint32_t header_octets = (walk.at[0] & 0x0fu) * 4;
        const uint32_t octets = read_16(walk.at + 2);
        return header_octets >= 20 && octets >= header_octets && octets <= walk.octets;
    }
    return walk.captured >= 40 && walk.at[0] >> 4 == 6 && 40u + read_16(walk.at + 4) <= walk.octets;
}

// RFC 1071. Requires: a plausible IPv4 header, captured.
bool has_right_checksum(const uint8_t* ip) noexcept {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < (ip[0] & 0x0fu) * 4; i += 2) {
        sum += read_16(ip + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return sum + (sum >> 16) == 0xffff;
}

// A MAC address may begin as an IP header does.
bool is_surely_ip(const PacketWalk& walk) noexcept {
    if (!is_plausible_ip(walk)) {
        return false;
    }
    return walk.at[0] >> 4 == 6 ||
           (walk.captured >= (walk.at[0] & 0x0fu) * 4 && has_right_checksum(walk.at));
}

TunnelStep step_of(ParseResult result, const PacketWalk& walk, bool certain) noexcept {
    if (result == ParseResult::metered) {
        return {TunnelEntry::inside, certain};
    }
    if (walk.too_deep) {
        return {TunnelEntry::too_deep, certain};
    }
    return {result == ParseResult::not_ip ? TunnelEntry::not_ip : TunnelEntry::unreadable, certain};
}

constexpr TunnelStep kUnreadable{TunnelEntry::unreadable, true};
constexpr TunnelStep kTooDeep{TunnelEntry::too_deep, true};
constexpr TunnelStep kNoTunnel{};

// VXLAN, RFC 7348 section 5:
//   |R|R|R|R|I|R|R|R|                 Reserved                     |
//   |              Network identifier              |   Reserved    |
// Ethernet follows. A receiver ignores what is reserved, and some use it (group policies).
TunnelStep enter_vxlan(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured < 8 || (walk.at[0] & 0x08) == 0) {
        return kNoTunnel;
    }
    const bool certain = read_32(walk.at) == 0x08000000 && walk.at[7] == 0;
    if (!walk.add_tunnel(TunnelType::vxlan, outer, read_32(walk.at + 4) >> 8)) {
        return certain ? kTooDeep : kNoTunnel;
    }
    walk.skip(8);
    return step_of(enter_ethernet(walk), walk, certain);
}

// Geneve, RFC 8926 section 3.4:
//   |Ver| Opt len   |O|C|  Reserved |         Protocol type        |
//   |              Network identifier              |   Reserved    |
//   |                 Options, to Opt len words                    |
TunnelStep enter_geneve(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured < 8 || walk.at[0] >> 6 != 0 || (walk.at[1] & 0x3f) != 0 || walk.at[7] != 0) {
        return kNoTunnel;
    }
    const uint32_t options = (walk.at[0] & 0x3fu) * 4;
    const uint16_t protocol = read_16(walk.at + 2);
    const bool known = protocol == kEthertypeBridged || protocol == kEthertypeIpv4 ||
                       protocol == kEthertypeIpv6 || protocol == kEthertypeMpls;
    if (!known || 8 + options > walk.octets) {
        return kNoTunnel;
    }
    if (!walk.add_tunnel(TunnelType::geneve, outer, read_32(walk.at + 4) >> 8)) {
        return kTooDeep;
    }
    if (8 + options > walk.captured) {
        return kUnreadable;
    }
    walk.skip(8 + options);
    const ParseResult result =
        protocol == kEthertypeBridged ? enter_ethernet(walk) : enter_ethertype(walk, protocol);
    return step_of(result, walk, true);
}

// GTP-U, 3GPP TS 29.281 section 5.1:
//   | Version 001 |PT=1|R|E|S|PN|   Message type    |    Length, behind the first 8 octets   |
//   |                          Tunnel endpoint identifier                                   |
//   |      Sequence number, if any      | N-PDU number   | Next extension header type       |
// The last line is there if E, S or PN is set. An extension header is its length in words, its
// content, and the type of the next one; type 0 ends them. Message 255 carries a packet.
TunnelStep enter_gtp_user(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured < 8 || (walk.at[0] & 0xf8) != 0x30 || walk.at[1] != 0xff ||
        8u + read_16(walk.at + 2) > walk.octets) {
        return kNoTunnel;
    }
    const uint8_t* const header = walk.at;
    walk.limit(8u + read_16(header + 2));
    walk.skip(8);
    if ((header[0] & 0x07) != 0) {
        if (walk.captured < 4) {
            return kNoTunnel;
        }
        uint8_t next = (header[0] & 0x04) != 0 ? walk.at[3] : uint8_t{0};
        walk.skip(4);
        for (size_t i = 0; next != 0; ++i) {
            const uint32_t octets = walk.captured == 0 ? 0 : walk.at[0] * 4u;
            if (i == kMaximumGtpExtensions || octets == 0 || octets > walk.captured) {
                return kNoTunnel;
            }
            next = walk.at[octets - 1];
            walk.skip(octets);
        }
    }
    if (!is_plausible_ip(walk)) {
        return kNoTunnel;
    }
    if (!walk.add_tunnel(TunnelType::gtp_u, outer, read_32(header + 4))) {
        return kTooDeep;
    }
    return step_of(enter_raw_ip(walk), walk, true);
}

// RFC 4380 section 2.6: 2001:0::/32.
bool has_teredo_address(const uint8_t* ip) noexcept {
    constexpr uint32_t kTeredoPrefix = 0x20010000;
    return read_32(ip + 8) == kTeredoPrefix || read_32(ip + 24) == kTeredoPrefix;
}

// Teredo, RFC 4380 section 5.1.1: an IPv6 packet behind, perhaps,
//   |  00 | 01 | id length 1 | value length 1 | id | value | nonce 8 | confirmation 1 |
//   |  00 | 00 | port 2 | address 4 |
TunnelStep enter_teredo(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured >= 4 && read_16(walk.at) == 1) {
        const uint32_t octets = 13u + walk.at[2] + walk.at[3];
        if (walk.captured < octets) {
            return kNoTunnel;
        }
        walk.skip(octets);
    }
    if (walk.captured >= 8 && read_16(walk.at) == 0) {
        walk.skip(8);
    }
    if (walk.captured < 40 || walk.at[0] >> 4 != 6) {
        return kNoTunnel;
    }
    // Trailers may follow (RFC 6081 section 4), of a packet that a Teredo client sends or gets.
    const uint32_t octets = 40u + read_16(walk.at + 4);
    if (octets > walk.octets || (octets < walk.octets && !has_teredo_address(walk.at))) {
        return kNoTunnel;
    }
    if (!walk.add_tunnel(TunnelType::teredo, outer)) {
        return kTooDeep;
    }
    return step_of(enter_raw_ip(walk), walk, true);
}

// L2TP version 2, RFC 2661 section 3.1: T 0 carries data, L says length, S sequence, O offset.
//   |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |       Length, if L           |
//   |           Tunnel id           |          Session id          |
//   |            Ns, if S           |           Nr, if S           |
//   |        Offset size, if O      |   Offset padding             |
TunnelStep enter_l2tp(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured < 6) {
        return kNoTunnel;
    }
    const uint16_t flags = read_16(walk.at);
    if ((flags & 0xb4ff) != 0x0002) {
        return kNoTunnel;
    }
    const bool has_length = (flags & 0x4000) != 0;
    const uint32_t ids_at = has_length ? 4 : 2;
    uint32_t octets = ids_at + 4 + ((flags & 0x0800) != 0 ? 4 : 0);
    if ((flags & 0x0200) != 0) {
        if (walk.captured < octets + 2) {
            return kNoTunnel;
        }
        octets += 2u + read_16(walk.at + octets);
    }
    if (walk.captured < octets || (has_length && read_16(walk.at + 2) > walk.octets)) {
        return kNoTunnel;
    }
    const uint32_t id = read_32(walk.at + ids_at);
    if (has_length) {
        walk.limit(read_16(walk.at + 2));
    }
    if (walk.captured < octets || !walk.add_tunnel(TunnelType::l2tp, outer, id)) {
        return kNoTunnel;
    }
    walk.skip(octets);
    return step_of(enter_ppp(walk), walk, false);
}

// ERSPAN, draft-foschiano-erspan section 4. Type I has no header, and GRE no sequence number. II:
//   | Version 1 | VLAN 12 | COS 3 | En 2 | T | Session 10 | Reserved 12 | Index 20 |
// III has version 2, 12 octets, and in the last one  frame type 5 bits of octet 10, O the last bit:
//   | ... | Session 10 | Timestamp 32 | SGT 16 | P | FT 5 | Hw 6 | D | Gra 2 | O |
// O says that 8 octets more follow. FT 0 is Ethernet, 2 is IP.
TunnelStep enter_erspan(PacketWalk& walk, uint32_t outer, bool type_1) noexcept {
    if (type_1) {
        return walk.add_tunnel(TunnelType::erspan, outer)
                   ? step_of(enter_ethernet(walk), walk, true)
                   : kTooDeep;
    }
    if (walk.captured < 12) {
        return kUnreadable;
    }
    const uint8_t version = walk.at[0] >> 4;
    if (version != 1 && version != 2) {
        return kUnreadable;
    }
    if (!walk.add_tunnel(TunnelType::erspan, outer, read_16(walk.at + 2) & 0x03ffu)) {
        return kTooDeep;
    }
    if (version == 1) {
        walk.skip(8);
        return step_of(enter_ethernet(walk), walk, true);
    }
    const uint8_t frame_type = walk.at[10] >> 2 & 0x1f;
    const uint32_t octets = (walk.at[11] & 1) != 0 ? 20 : 12;
    if (walk.captured < octets) {
        return kUnreadable;
    }
    walk.skip(octets);
    if (frame_type == 2) {
        return step_of(enter_raw_ip(walk), walk, true);
    }
    return frame_type == 0 ? step_of(enter_ethernet(walk), walk, true)
                           : TunnelStep{TunnelEntry::not_ip, true};
}

// Routing entries of RFC 1701: family 2, offset 1, length 1, content; family 0, length 0 ends them.
bool pass_routing(PacketWalk& walk) noexcept {
    for (size_t i = 0; i < kMaximumRoutingEntries && walk.captured >= 4; ++i) {
        const uint32_t octets = 4u + walk.at[3];
        const bool last = read_16(walk.at) == 0 && walk.at[3] == 0;
        if (walk.captured < octets) {
            return false;
        }
        walk.skip(octets);
        if (last) {
            return true;
        }
    }
    return false;
}

// GRE, RFC 2784 section 2 and RFC 2890 section 2 (version 0), RFC 2637 section 4.1 (version 1):
//   |C|R|K|S|s|Recur|A|  Flags  | Ver |       Protocol type        |
//   |      Checksum, if C or R      |    Offset, if C or R         |
//   |   Key, if K; version 1: payload length 16, call id 16        |
//   |   Sequence number, if S       (version 1: acknowledgement, if A)
//   |   Routing, if R
TunnelStep enter_gre(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured < 4) {
        return kUnreadable;
    }
    const uint16_t flags = read_16(walk.at);
    const uint16_t protocol = read_16(walk.at + 2);
    const bool version_1 = (flags & 7) == 1;
    const bool has_checksum = (flags & 0xc000) != 0;
    const bool has_key = (flags & 0x2000) != 0;
    const bool has_sequence = (flags & 0x1000) != 0;
    if ((flags & 7) > 1 || (version_1 && protocol != kEthertypePpp)) {
        return {TunnelEntry::not_ip, true};
    }
    const uint32_t key_at = has_checksum ? 8 : 4;
    const uint32_t octets = key_at + (has_key ? 4 : 0) + (has_sequence ? 4 : 0) +
                            (version_1 && (flags & 0x0080) != 0 ? 4 : 0);
    if (walk.captured < octets) {
        return kUnreadable;
    }
    const uint32_t key = has_key ? read_32(walk.at + key_at) : 0;
    walk.skip(octets);
    if (!version_1 && (flags & 0x4000) != 0 && !pass_routing(walk)) {
        return kUnreadable;
    }
    if (protocol == kEthertypeErspan || protocol == kEthertypeErspan3) {
        return enter_erspan(walk, outer, protocol == kEthertypeErspan && !has_sequence);
    }
    const bool added = version_1 ? walk.add_tunnel(TunnelType::pptp, outer, key & 0xffff)
                       : has_key ? walk.add_tunnel(TunnelType::gre, outer, key)
                                 : walk.add_tunnel(TunnelType::gre, outer);
    if (!added) {
        return kTooDeep;
    }
    if (protocol == kEthertypeBridged) {
        return step_of(enter_ethernet(walk), walk, true);
    }
    if (protocol == kEthertypePpp) {
        // An acknowledgement carries nothing (RFC 2637 section 4.1).
        return walk.octets == 0 ? TunnelStep{TunnelEntry::not_ip, true}
                                : step_of(enter_ppp(walk), walk, true);
    }
    if (protocol == kEthertypeWccp) {
        // Version 2 puts 4 octets before the packet, whose first is no IP version.
        if (walk.captured >= 4 && walk.at[0] >> 4 != 4) {
            walk.skip(4);
        }
        return step_of(enter_raw_ip(walk), walk, true);
    }
    return step_of(enter_ethertype(walk, protocol), walk, true);
}

// RFC 3378: version 3, 12 bits 0.
TunnelStep enter_ether_ip(PacketWalk& walk, uint32_t outer) noexcept {
    if (walk.captured < 2 || read_16(walk.at) != 0x3000) {
        return kUnreadable;
    }
    if (!walk.add_tunnel(TunnelType::ether_ip, outer)) {
        return kTooDeep;
    }
    walk.skip(2);
    return step_of(enter_ethernet(walk), walk, true);
}

TunnelStep enter_inner_ip(PacketWalk& walk, uint32_t outer, uint8_t version) noexcept {
    if (!walk.add_tunnel(TunnelType::ip_in_ip, outer)) {
        return kTooDeep;
    }
    walk.ip_version = version;
    return {TunnelEntry::inside, true};
}

// An Ethernet frame with an IP packet in it, at so many octets from the walk.
bool enter_pseudowire(const PacketWalk& walk, uint32_t control_octets, PacketWalk& inner) noexcept {
    if (walk.captured < control_octets) {
        return false;
    }
    inner = walk;
    inner.skip(control_octets);
    return enter_ethernet(inner) == ParseResult::metered && is_plausible_ip(inner);
}

// RFC 7510. A label stack proves nothing, so what is inside must.
TunnelStep enter_mpls_over_udp(PacketWalk& walk, uint32_t outer) noexcept {
    const size_t index = walk.tunnel_count;
    if (enter_mpls(walk) != ParseResult::metered || !is_plausible_ip(walk)) {
        return kNoTunnel;
    }
    walk.tunnels[index].outer_ip = outer & kNoOuterIp;
    return {TunnelEntry::inside, false};
}

TunnelStep enter_udp(PacketWalk& walk, const NetworkLayer& network, uint32_t outer) noexcept {
    if (walk.captured < kUdpHeaderOctets) {
        return kNoTunnel;
    }
    const uint16_t source = read_16(walk.at);
    const uint16_t destination = read_16(walk.at + 2);
    const uint32_t length = read_16(walk.at + 4);
    // In a merged packet the length may be a single segment's, see read_udp() of the parser.
    if (length >= kUdpHeaderOctets && (network.notes & kNoteLengthFromFrame) == 0) {
        walk.limit(length);
    }
    walk.skip(kUdpHeaderOctets);
    const auto is = [&](uint16_t port) { return source == port || destination == port; };
    // The port of VXLAN, Geneve and L2TP requests is the receiver's; the sender's says which flow.
    if (destination == kVxlanPort || destination == kVxlanLinuxPort) {
        return enter_vxlan(walk, outer);
    }
    if (destination == kGenevePort) {
        return enter_geneve(walk, outer);
    }
    if (is(kGtpUserPort)) {
        return enter_gtp_user(walk, outer);
    }
    if (is(kTeredoPort)) {
        return enter_teredo(walk, outer);
    }
    if (is(kL2tpPort)) {
        return enter_l2tp(walk, outer);
    }
    if (destination == kGrePort) {
        return {enter_gre(walk, outer).entry, false};
    }
    return destination == kMplsPort ? enter_mpls_over_udp(walk, outer) : kNoTunnel;
}

}  // namespace

TunnelStep enter_tunnel(PacketWalk& walk, const NetworkLayer& network) noexcept {
    const auto outer = static_cast<uint32_t>(network.ip - walk.frame);
    if ((network.notes & kNoteLaterFragment) != 0) {
        return kNoTunnel;
    }
    walk.at = network.ip + network.header_octets;
    walk.captured = network.captured - network.header_octets;
    walk.octets = network.octets - network.header_octets;
    if ((network.notes & kNoteFragment) != 0) {
        // How long the whole packet is stands nowhere in its first fragment.
        walk.octets = std::max(walk.octets, kLongestPacket);
    }
    switch (network.protocol) {
        case kProtocolUdp:
            return enter_udp(walk, network, outer);
        case 4:
            return enter_inner_ip(walk, outer, 4);
        case 41:
            return enter_inner_ip(walk, outer, 6);
        case 47:
            return enter_gre(walk, outer);
        case 97:
            return enter_ether_ip(walk, outer);
        default:
            return kNoTunnel;
    }
}

// A label is  | Label 20 | Traffic class 3 | Bottom 1 | TTL 8 |. A control word begins with 0.
ParseResult enter_mpls(PacketWalk& walk) noexcept {
    uint32_t label = 0;
    for (size_t labels = 0; (label & 0x100) == 0; ++labels) {
        if (walk.captured < 4) {
            return ParseResult::link_header_truncated;
        }
        if (labels == kMaximumLabels) {
            return ParseResult::not_ip;
        }
        label = read_32(walk.at);
        walk.skip(4);
    }
    if (!walk.add_tunnel(TunnelType::mpls, kNoOuterIp, label >> 12)) {
        return ParseResult::not_ip;
    }
    if (walk.captured == 0) {
        return ParseResult::ip_header_truncated;
    }
    const uint8_t nibble = walk.at[0] >> 4;
    if (!is_surely_ip(walk)) {
        PacketWalk inner = walk;
        if ((nibble == 0 && enter_pseudowire(walk, 4, inner)) || enter_pseudowire(walk, 0, inner)) {
            walk = inner;
            return ParseResult::metered;
        }
        walk.too_deep = walk.too_deep || inner.too_deep;
    }
    walk.ip_version = nibble;
    return nibble == 4 || nibble == 6 ? ParseResult::metered : ParseResult::not_ip;
}

//   | Version 1, type 1 | Code 0: session data | Session id 16 | Length 16 |
ParseResult enter_pppoe(PacketWalk& walk) noexcept {
    if (walk.captured < 6) {
        return ParseResult::link_header_truncated;
    }
    const bool is_data = walk.at[0] == 0x11 && walk.at[1] == 0;
    const uint32_t session = read_16(walk.at + 2);
    const uint32_t length = read_16(walk.at + 4);
    if (!is_data || !walk.add_tunnel(TunnelType::pppoe, kNoOuterIp, session)) {
        return ParseResult::not_ip;
    }
    walk.skip(6);
    walk.limit(length);
    return enter_ppp(walk);
}

}  // namespace curlew::probe

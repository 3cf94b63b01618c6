// Hot path.
#include "probe/link_layer.h"

#include "probe/decapsulation.h"
#include "probe/network_order.h"
#include "probe/wifi_frame.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumVlanTags = 8;
constexpr size_t kMaximumNflogAttributes = 32;
constexpr uint16_t kSllProtocolLlc = 4;

// IEEE 802.1Q, behind the ethertype that announces it:
//   |PCP 3|D|      VLAN id 12       |     next ethertype 16         |
// False where the captured octets end in a tag.
bool pass_vlan_tags(PacketWalk& walk, uint16_t& ethertype) noexcept {
    for (size_t tags = 0; tags < kMaximumVlanTags && is_vlan_tag(ethertype); ++tags) {
        if (walk.captured < 4) {
            return false;
        }
        if (tags < walk.vlans.size()) {
            walk.vlans[tags] = read_16(walk.at) & 0x0fff;
        }
        ethertype = read_16(walk.at + 2);
        walk.skip(4);
    }
    if (walk.tunnel_count == 0) {
        walk.outermost_vlan = walk.vlans[0];
    }
    return true;
}

ParseResult enter_untagged(PacketWalk& walk, uint16_t ethertype) noexcept;

// Cisco metadata: the security group of a frame's sender, behind all tags.
//   |version 8: 1 | length 8: 1 | option 16 | group 16 | next ethertype 16 |
ParseResult enter_security_group(PacketWalk& walk) noexcept {
    constexpr uint32_t kOctets = 8;
    constexpr uint16_t kVersionAndLength = 0x0101;
    if (walk.captured < kOctets) {
        return ParseResult::link_header_truncated;
    }
    const bool known = read_16(walk.at) == kVersionAndLength;
    const uint16_t next = read_16(walk.at + 6);
    walk.skip(kOctets);
    return known && next != kEthertypeSecurityGroup ? enter_untagged(walk, next)
                                                    : ParseResult::not_ip;
}

// Behind an ethertype that announces no tag, or one tag too many.
ParseResult enter_untagged(PacketWalk& walk, uint16_t ethertype) noexcept {
    if (ethertype == kEthertypeIpv4 || ethertype == kEthertypeIpv6) {
        walk.ip_version = ethertype == kEthertypeIpv4 ? 4 : 6;
        return ParseResult::metered;
    }
    if (ethertype == kEthertypeSecurityGroup) {
        return enter_security_group(walk);
    }
    if (walk.decapsulate) {
        if (ethertype == kEthertypeMpls || ethertype == kEthertypeMplsMulticast) {
            return enter_mpls(walk);
        }
        if (ethertype == kEthertypePppoeSession) {
            return enter_pppoe(walk);
        }
    }
    return ParseResult::not_ip;
}

// Linux cooked captures: an ethertype at `protocol_at`, or one of Linux's own small numbers.
ParseResult enter_cooked(PacketWalk& walk, uint32_t octets, uint32_t protocol_at) noexcept {
    if (walk.captured < octets) {
        return ParseResult::link_header_truncated;
    }
    uint16_t ethertype = read_16(walk.at + protocol_at);
    walk.skip(octets);
    if (is_vlan_tag(ethertype) && !pass_vlan_tags(walk, ethertype)) {
        return ParseResult::link_header_truncated;
    }
    return ethertype == kSllProtocolLlc ? enter_llc(walk) : enter_untagged(walk, ethertype);
}

// BSD loopback: the capturing host's address family, in that host's byte order. Families are
// small numbers, so the order shows. IPv6 is 24, 28 or 30 on the BSDs, 10 on Linux.
ParseResult enter_loopback(PacketWalk& walk) noexcept {
    if (walk.captured < 4) {
        return ParseResult::link_header_truncated;
    }
    const uint32_t as_read = read_32(walk.at);
    const uint32_t family = as_read > 0xffff ? __builtin_bswap32(as_read) : as_read;
    walk.skip(4);
    const bool ipv6 = family == 10 || family == 24 || family == 28 || family == 30;
    walk.ip_version = ipv6 ? 6 : 4;
    return ipv6 || family == 2 ? ParseResult::metered : ParseResult::not_ip;
}

// Cisco HDLC: address 0f or 8f, control 00, ethertype 2.
ParseResult enter_cisco_hdlc(PacketWalk& walk) noexcept {
    if (walk.captured < 4) {
        return ParseResult::link_header_truncated;
    }
    const bool known = (walk.at[0] == 0x0f || walk.at[0] == 0x8f) && walk.at[1] == 0;
    const uint16_t ethertype = read_16(walk.at + 2);
    walk.skip(4);
    return known ? enter_ethertype(walk, ethertype) : ParseResult::not_ip;
}

// Q.922 address of 2 to 4 octets, the last one odd; then control 03, a pad octet 00 or none, and
// the protocol as a NLPID (RFC 2427 section 3), or an ethertype in Cisco's own framing.
ParseResult enter_frame_relay(PacketWalk& walk) noexcept {
    constexpr uint32_t kLongestAddress = 4;
    uint32_t address = 1;
    while (address < kLongestAddress && address < walk.captured &&
           (walk.at[address - 1] & 1) == 0) {
        ++address;
    }
    if (walk.captured < address + 3) {
        return ParseResult::link_header_truncated;
    }
    walk.skip(address);
    if (walk.at[0] != 0x03) {
        const uint16_t ethertype = read_16(walk.at);
        walk.skip(2);
        return enter_ethertype(walk, ethertype);
    }
    walk.skip(walk.at[1] == 0 ? 2 : 1);
    const uint8_t protocol = walk.at[0];
    walk.skip(1);
    if (protocol == 0x80) {
        if (walk.captured < 5) {
            return ParseResult::link_header_truncated;
        }
        const bool ethertypes = (read_32(walk.at) >> 8) == 0;
        const uint16_t ethertype = read_16(walk.at + 3);
        walk.skip(5);
        return ethertypes ? enter_ethertype(walk, ethertype) : ParseResult::not_ip;
    }
    walk.ip_version = protocol == 0xcc ? 4 : 6;
    return protocol == 0xcc || protocol == 0x8e ? ParseResult::metered : ParseResult::not_ip;
}

// Linux's netfilter log: family 1, version 1, group 2, then attributes, each
//   | length 2, its own four octets included | type 2 | value, padded to 4 |
// in the byte order of this machine, for capture_reader.h turns it. Attribute 9 is the packet.
ParseResult enter_netfilter_log(PacketWalk& walk) noexcept {
    constexpr uint16_t kPayload = 9;
    if (walk.captured < 4) {
        return ParseResult::link_header_truncated;
    }
    walk.skip(4);
    for (size_t i = 0; i < kMaximumNflogAttributes; ++i) {
        if (walk.captured < 4) {
            return ParseResult::link_header_truncated;
        }
        const uint32_t length = read_little_16(walk.at);
        const uint16_t type = read_little_16(walk.at + 2);
        const uint32_t padded = (length + 3) / 4 * 4;
        if (length < 4) {
            return ParseResult::not_ip;
        }
        if (type == kPayload) {
            walk.skip(4);
            walk.limit(length - 4);
            return enter_raw_ip(walk);
        }
        if (padded > walk.captured) {
            return ParseResult::link_header_truncated;
        }
        walk.skip(padded);
    }
    return ParseResult::not_ip;
}

// Solaris: version 1, address family 1 (2 or 26), then 22 octets of no interest here.
ParseResult enter_solaris_ipnet(PacketWalk& walk) noexcept {
    constexpr uint32_t kHeaderOctets = 24;
    if (walk.captured < kHeaderOctets) {
        return ParseResult::link_header_truncated;
    }
    const uint8_t family = walk.at[1];
    walk.skip(kHeaderOctets);
    walk.ip_version = family == 26 ? 6 : 4;
    return family == 2 || family == 26 ? ParseResult::metered : ParseResult::not_ip;
}

// Frame control 1, destination 6, source 6; LLC where the control says so (ISO 9314-2). How the
// addresses' bits are ordered depends on who captured, so they are not taken.
ParseResult enter_fddi(PacketWalk& walk) noexcept {
    if (walk.captured < 13) {
        return ParseResult::link_header_truncated;
    }
    const bool is_llc = (walk.at[0] & 0x30) == 0x10;
    walk.skip(13);
    return is_llc ? enter_llc(walk) : ParseResult::not_ip;
}

}  // namespace

ParseResult enter_ethertype(PacketWalk& walk, uint16_t ethertype) noexcept {
    if (is_vlan_tag(ethertype) && !pass_vlan_tags(walk, ethertype)) {
        return ParseResult::link_header_truncated;
    }
    return enter_untagged(walk, ethertype);
}

// LLC with SNAP, RFC 1042: aa aa 03, organisation 00 00 00, ethertype. All other LLC is not IP.
ParseResult enter_llc(PacketWalk& walk) noexcept {
    if (walk.captured < 3) {
        return ParseResult::link_header_truncated;
    }
    if (walk.at[0] != 0xaa || walk.at[1] != 0xaa || walk.at[2] != 0x03) {
        return ParseResult::not_ip;
    }
    if (walk.captured < 8) {
        return ParseResult::link_header_truncated;
    }
    const uint32_t organisation = read_32(walk.at + 2) & 0xffffff;
    const uint16_t ethertype = read_16(walk.at + 6);
    walk.skip(8);
    return organisation == 0 ? enter_ethertype(walk, ethertype) : ParseResult::not_ip;
}

// Destination 6, source 6, ethertype 2.
ParseResult enter_ethernet(PacketWalk& walk) noexcept {
    if (walk.captured < kEthernetHeaderOctets) {
        return ParseResult::link_header_truncated;
    }
    walk.destination_mac = walk.at;
    walk.source_mac = walk.at + 6;
    walk.vlans = {kNoVlan, kNoVlan};
    uint16_t ethertype = read_16(walk.at + 12);
    walk.skip(kEthernetHeaderOctets);
    if (is_vlan_tag(ethertype) && !pass_vlan_tags(walk, ethertype)) {
        return ParseResult::link_header_truncated;
    }
    return ethertype <= kMaximumEthernetPayload ? enter_llc(walk) : enter_untagged(walk, ethertype);
}

// PPP, RFC 1661 section 2: address ff and control 03 where framed as in HDLC (RFC 1662), then the
// protocol, in one octet if that is odd (section 6.5; ff is no protocol, so that it is not taken
// for one). Cisco's framing comes under the same link type, and its front is no protocol of PPP's.
ParseResult enter_ppp(PacketWalk& walk) noexcept {
    if (walk.captured >= 2 && (walk.at[0] == 0x0f || walk.at[0] == 0x8f) && walk.at[1] == 0) {
        return enter_cisco_hdlc(walk);
    }
    if (walk.captured > 0 && walk.at[0] == 0xff) {
        if (walk.captured < 2) {
            return ParseResult::link_header_truncated;
        }
        if (walk.at[1] != 0x03) {
            return ParseResult::not_ip;
        }
        walk.skip(2);
    }
    const uint32_t protocol_octets = walk.captured > 0 && (walk.at[0] & 1) != 0 ? 1 : 2;
    if (walk.captured < protocol_octets) {
        return ParseResult::link_header_truncated;
    }
    const uint16_t protocol = protocol_octets == 1 ? walk.at[0] : read_16(walk.at);
    walk.skip(protocol_octets);
    // RFC 3032 section 4.3.
    if (walk.decapsulate && (protocol == 0x281 || protocol == 0x283)) {
        return enter_mpls(walk);
    }
    walk.ip_version = protocol == 0x21 ? 4 : 6;
    return protocol == 0x21 || protocol == 0x57 ? ParseResult::metered : ParseResult::not_ip;
}

ParseResult enter_raw_ip(PacketWalk& walk) noexcept {
    if (walk.captured == 0) {
        return ParseResult::ip_header_truncated;
    }
    walk.ip_version = walk.at[0] >> 4;
    return walk.ip_version == 4 || walk.ip_version == 6 ? ParseResult::metered
                                                        : ParseResult::ip_header_malformed;
}

ParseResult enter_link(PacketWalk& walk, LinkType type) noexcept {
    switch (type) {
        case LinkType::ethernet:
            return enter_ethernet(walk);
        case LinkType::raw_ip:
            return enter_raw_ip(walk);
        case LinkType::null_loopback:
            return enter_loopback(walk);
        case LinkType::linux_sll:
            return enter_cooked(walk, 16, 14);
        case LinkType::linux_sll2:
            return enter_cooked(walk, 20, 0);
        case LinkType::ppp:
            return enter_ppp(walk);
        case LinkType::pppoe:
            return enter_pppoe(walk);
        case LinkType::cisco_hdlc:
            return enter_cisco_hdlc(walk);
        case LinkType::frame_relay:
            return enter_frame_relay(walk);
        case LinkType::netfilter_log:
            return enter_netfilter_log(walk);
        case LinkType::solaris_ipnet:
            return enter_solaris_ipnet(walk);
        case LinkType::fddi:
            return enter_fddi(walk);
        case LinkType::llc:
            return enter_llc(walk);
        case LinkType::wifi:
            return enter_wifi(walk);
        case LinkType::wifi_radiotap:
            return enter_radiotap(walk);
        case LinkType::wifi_prism:
            return enter_prism(walk);
        case LinkType::wifi_avs:
            return enter_avs(walk);
        case LinkType::unsupported:
            return ParseResult::link_type_unsupported;
    }
    return ParseResult::not_ip;
}

}  // namespace curlew::probe

#pragma once

#include "probe/packet_walk.h"
#include "probe/port.h"

// From the first octet of a packet to its IP header. Each returns `metered` with the walk at an IP
// header and ip_version set, or why that cannot be. Labels and sessions on the way
// (decapsulation.h) are passed when the walk decapsulates.

namespace curlew::probe {

inline constexpr uint16_t kEthertypeIpv4 = 0x0800;
inline constexpr uint16_t kEthertypeIpv6 = 0x86dd;
inline constexpr uint16_t kEthertypeMpls = 0x8847;
inline constexpr uint16_t kEthertypeMplsMulticast = 0x8848;
inline constexpr uint16_t kEthertypePppoeSession = 0x8864;
inline constexpr uint16_t kEthertypeSecurityGroup = 0x8909;  // Cisco metadata
inline constexpr uint32_t kEthernetHeaderOctets = 14;
// Longest IP packet of an Ethernet frame that no host merged (RFC 894), and largest value of the
// field that is a length and no ethertype (IEEE 802.3 section 3.2.6).
inline constexpr uint16_t kMaximumEthernetPayload = 1500;

inline bool is_vlan_tag(uint16_t ethertype) noexcept {
    return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

ParseResult enter_link(PacketWalk& walk, LinkType type) noexcept;

// Ethernet II, 802.3 with LLC; tags.
ParseResult enter_ethernet(PacketWalk& walk) noexcept;

// Behind an ethertype; tags that it announces are passed.
ParseResult enter_ethertype(PacketWalk& walk, uint16_t ethertype) noexcept;

// IEEE 802.2.
ParseResult enter_llc(PacketWalk& walk) noexcept;

ParseResult enter_ppp(PacketWalk& walk) noexcept;

// IP by its version nibble.
ParseResult enter_raw_ip(PacketWalk& walk) noexcept;

}  // namespace curlew::probe

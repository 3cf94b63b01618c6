#pragma once

#include "probe/packet_walk.h"

// One step inwards through a tunnel. The parser repeats it up to kMaximumTunnels times.
//
// A UDP port alone says little, so what is behind it must have the structure of the tunnel's
// header, and inside it, where the header is weak, an IP packet whose lengths fit; else the
// datagram stays a flow of its own. A tunnel is followed as far as all that is inside can be read:
// where it cannot, or is no IP, the packet is metered as the flow of the layer before, with a note.
//
// Of an outer packet that was fragmented the first fragment is followed, for it holds the inner
// headers, and counts as the whole inner packet, truncated; later ones are metered as a flow of the
// outer addresses, without ports. Both have the note `tunnel_fragment`.

namespace curlew::probe {

enum class TunnelEntry : uint8_t {
    none,        // no tunnel
    inside,      // the walk is at the inner IP header
    not_ip,      // a tunnel for something else
    unreadable,  // a tunnel whose inside contradicts itself, or was not captured
    too_deep,    // a tunnel, and kMaximumTunnels were passed
};

struct TunnelStep {
    TunnelEntry entry = TunnelEntry::none;
    // The headers prove the tunnel. If not, an inside that cannot be read proves the contrary.
    bool certain = false;
};

inline constexpr uint16_t kVxlanPort = 4789;
inline constexpr uint16_t kVxlanLinuxPort = 8472;  // Linux's default, older than the assignment
inline constexpr uint16_t kGenevePort = 6081;
inline constexpr uint16_t kGtpUserPort = 2152;
inline constexpr uint16_t kTeredoPort = 3544;
inline constexpr uint16_t kL2tpPort = 1701;
inline constexpr uint16_t kGrePort = 4754;
inline constexpr uint16_t kMplsPort = 6635;

// True when a port, or the protocol, is a tunnel's: only then is enter_tunnel() worth its time.
// Nearly every pair of ports is refused by its low bits.
inline bool may_be_tunnel_ports(uint16_t source, uint16_t destination) noexcept {
    constexpr auto bit = [](uint16_t one) { return uint64_t{1} << (one & 63); };
    constexpr uint64_t kCandidates = bit(kVxlanPort) | bit(kVxlanLinuxPort) | bit(kGenevePort) |
                                     bit(kGtpUserPort) | bit(kTeredoPort) | bit(kL2tpPort) |
                                     bit(kGrePort) | bit(kMplsPort);
    if (((kCandidates >> (source & 63) | kCandidates >> (destination & 63)) & 1) == 0) {
        return false;
    }
    const auto is = [&](uint16_t port) { return source == port || destination == port; };
    return is(kVxlanPort) || is(kVxlanLinuxPort) || is(kGenevePort) || is(kGtpUserPort) ||
           is(kTeredoPort) || is(kL2tpPort) || is(kGrePort) || is(kMplsPort);
}
inline bool is_tunnel_protocol(uint8_t protocol) noexcept {
    // IPv4, IPv6, GRE, EtherIP.
    return protocol == 4 || protocol == 41 || protocol == 47 || protocol == 97;
}

// From an IP packet into what it carries. The walk is defined only when the result is `inside`.
// Requires: the packet is `network`, and has a tunnel's protocol, or is UDP, no later fragment,
// with 4 octets captured.
TunnelStep enter_tunnel(PacketWalk& walk, const NetworkLayer& network) noexcept;

// These two come right behind a link header; results as in link_layer.h.

// At a label stack (RFC 3032). What is inside is told by looking at it: an IP packet whose lengths
// and checksum fit; else an Ethernet frame with such a packet in it, behind a control word (RFC
// 4448) or not; else IP by its version nibble (RFC 4928).
ParseResult enter_mpls(PacketWalk& walk) noexcept;

// At a PPPoE header (RFC 2516).
ParseResult enter_pppoe(PacketWalk& walk) noexcept;

}  // namespace curlew::probe

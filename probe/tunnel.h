#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// What is kept of the tunnels that a packet came through. The flow is the innermost packet's.
//
// Of the ids only a VXLAN or Geneve network identifier is part of the flow's key: it names an
// address space of its own, and both directions carry the same one. All others stay out, or the two
// directions of a flow, or its copies on two mirrored ports, would not meet: GTP endpoint ids, PPTP
// call ids, L2TP session ids, GRE keys and MPLS labels are each receiver's own; an NVGRE key holds
// per-flow bits and cannot be told from a plain one; an ERSPAN session names a mirror; a PPPoE
// session names a subscriber line, whose address tells it already and which may dial again.

namespace curlew::probe {

// Tunnels that are followed inwards. What is deeper stays inside the flow of the last layer
// reached.
inline constexpr size_t kMaximumTunnels = 4;

// Values of proto TunnelType.
enum class TunnelType : uint8_t {
    unknown = 0,
    mpls = 1,       // id: label at the bottom of the stack
    pppoe = 2,      // id: session
    gre = 3,        // id: key, if there is one
    pptp = 4,       // id: call of the receiver
    erspan = 5,     // id: session; none in type I
    vxlan = 6,      // id: network identifier
    geneve = 7,     // id: network identifier
    gtp_u = 8,      // id: tunnel endpoint of the receiver
    ip_in_ip = 9,   // IPv4 or IPv6 in either; no id
    teredo = 10,    // no id
    ether_ip = 11,  // no id
    l2tp = 12,      // id: tunnel in the upper 16 bits, session in the lower
};

inline constexpr uint32_t kNoOuterIp = 0x3fffff;

// One tunnel of a packet. Eight octets, for every packet on its way to a worker has room for four.
struct TunnelMark {
    uint32_t id;
    uint32_t outer_ip : 22;  // offset of the outer IP header from the frame, or kNoOuterIp
    uint32_t has_id : 1;
    uint32_t type : 8;  // TunnelType
};
static_assert(sizeof(TunnelMark) == 8);

// Outermost first.
using TunnelMarks = std::array<TunnelMark, kMaximumTunnels>;

// One tunnel of a flow's first packet as it stands in the flow's blocks.
struct StoredTunnel {
    uint32_t id;
    uint8_t type;  // TunnelType
    uint8_t has_id;
    uint8_t address_octets;  // 0, 4 or 16
    uint8_t reserved;
    std::array<uint8_t, 16> source;
    std::array<uint8_t, 16> destination;
};
static_assert(sizeof(StoredTunnel) == 40);

// Requires: the mark is of a packet whose link header is at `frame`.
StoredTunnel stored_tunnel(const TunnelMark& mark, const uint8_t* frame) noexcept;

}  // namespace curlew::probe

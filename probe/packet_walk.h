#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "probe/packet_parser.h"
#include "probe/tunnel.h"

// How the parser goes through a packet, from the link layer to the innermost IP header. Private to
// the parser's files: packet_parser.cc, link_layer.cc, wifi_frame.cc, decapsulation.cc.

namespace curlew::probe {

inline constexpr uint32_t kUdpHeaderOctets = 8;

// A place in a packet, and what is left of the packet there.
struct PacketPlace {
    const uint8_t* at;
    uint32_t captured;       // readable at `at`
    uint32_t octets;         // there by wire length, or by the innermost length told; >= captured
    uint8_t ip_version = 0;  // as the layer before tells it

    // Requires: count <= captured.
    void skip(uint32_t count) noexcept {
        at += count;
        captured -= count;
        octets -= count;
    }

    // What is behind so many octets is no part of the layer.
    void limit(uint32_t count) noexcept {
        octets = std::min(octets, count);
        captured = std::min(captured, octets);
    }
};

// Where the walk stands, and what was met on the way.
struct PacketWalk : PacketPlace {
    const uint8_t* frame;  // first captured octet of the view
    bool decapsulate;
    uint8_t tunnel_count = 0;
    bool too_deep = false;        // a tunnel was met for which there is no room in `tunnels`
    uint32_t outside_octets = 0;  // of the view, and not of the frame: radiotap, FCS
    uint16_t notes = 0;
    uint16_t outermost_vlan = kNoVlan;
    std::array<uint16_t, 2> vlans{kNoVlan, kNoVlan};  // of the innermost Ethernet frame
    const uint8_t* source_mac = nullptr;              // of the innermost frame that has MACs
    const uint8_t* destination_mac = nullptr;
    TunnelMarks tunnels;

    // False, and too_deep, when there is no room.
    bool add_tunnel(TunnelType type, uint32_t outer_ip) noexcept {
        if (tunnel_count == kMaximumTunnels) {
            too_deep = true;
            return false;
        }
        TunnelMark& mark = tunnels[tunnel_count++];
        mark.id = 0;
        mark.outer_ip = outer_ip & kNoOuterIp;
        mark.has_id = 0;
        mark.type = static_cast<uint8_t>(type);
        return true;
    }
    bool add_tunnel(TunnelType type, uint32_t outer_ip, uint32_t id) noexcept {
        if (!add_tunnel(type, outer_ip)) {
            return false;
        }
        tunnels[tunnel_count - 1u].id = id;
        tunnels[tunnel_count - 1u].has_id = 1;
        return true;
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

}  // namespace curlew::probe

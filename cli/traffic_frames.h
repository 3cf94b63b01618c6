#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/traffic_writer.h"

// Frames from Ethernet up to UDP, ICMP and IGMP, with right checksums.

namespace curlew::cli {

using MacAddress = std::array<uint8_t, 6>;
using Ipv6Address = std::array<uint8_t, 16>;

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolIgmp = 2;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmpv6 = 58;

constexpr uint32_t ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return uint32_t{a} << 24 | uint32_t{b} << 16 | uint32_t{c} << 8 | d;
}

// A host as the capture's segment sees it: behind a router, `mac` is the router's and `ttl` what
// is left of it.
struct TrafficHost {
    MacAddress mac = {};
    uint32_t address = 0;
    uint8_t ttl = 64;
    bool dont_fragment = false;
    uint16_t next_ip_id = 1;
};

// A group or the broadcast address, with the Ethernet address that belongs to it (RFC 1112 6.4).
TrafficHost group_host(uint32_t address);

struct Ipv4Header {
    uint8_t protocol = 0;
    uint8_t ttl = 0;
    bool router_alert = false;  // RFC 2113
};

// In as many fragments as an MTU of 1500 needs.
void add_ipv4(TrafficCapture& capture,
              uint64_t time_ns,
              TrafficHost& from,
              const TrafficHost& to,
              const Ipv4Header& header,
              std::string_view payload);

struct UdpPorts {
    uint16_t from = 0;
    uint16_t to = 0;
};

void add_udp(TrafficCapture& capture,
             uint64_t time_ns,
             TrafficHost& from,
             const TrafficHost& to,
             UdpPorts ports,
             std::string_view payload,
             std::string_view label);

// Type 3 code 3 (RFC 792) about a UDP datagram that `from` got from `to`.
void add_port_unreachable(TrafficCapture& capture,
                          uint64_t time_ns,
                          TrafficHost& from,
                          const TrafficHost& to,
                          UdpPorts refused,
                          size_t refused_payload_octets,
                          std::string_view label);

// IGMP version 2 (RFC 2236): type 0x11 asks, 0x16 reports.
void add_igmp(TrafficCapture& capture,
              uint64_t time_ns,
              TrafficHost& from,
              const TrafficHost& to,
              uint8_t type,
              uint32_t group,
              std::string_view label);

// RFC 826: a request to everyone, or the answer to one.
void add_arp(TrafficCapture& capture,
             uint64_t time_ns,
             const TrafficHost& from,
             const TrafficHost& to,
             bool is_request);

// A configuration message of IEEE 802.1D spanning tree, from the root bridge itself.
void add_spanning_tree(TrafficCapture& capture, uint64_t time_ns, const MacAddress& bridge);

// EUI-64 link-local address (RFC 4291 appendix A).
Ipv6Address link_local(const MacAddress& mac);

void add_ipv6_udp(TrafficCapture& capture,
                  uint64_t time_ns,
                  const MacAddress& from_mac,
                  const Ipv6Address& from,
                  const Ipv6Address& to_group,
                  UdpPorts ports,
                  std::string_view payload);

// `message` is ICMPv6 from its type on, with a checksum of zero; `hop_by_hop` precedes it or is
// empty.
void add_icmpv6(TrafficCapture& capture,
                uint64_t time_ns,
                const MacAddress& from_mac,
                const Ipv6Address& from,
                const Ipv6Address& to_group,
                std::string_view hop_by_hop,
                std::string message);

// The ones' complement sum of RFC 1071, over a pseudo-header and what follows it.
uint16_t internet_checksum(std::string_view octets);
std::string ipv4_pseudo_header(const TrafficHost& from,
                               const TrafficHost& to,
                               uint8_t protocol,
                               size_t length);
void set16(std::string& octets, size_t at, uint16_t number);

}  // namespace curlew::cli

#include "cli/traffic_frames.h"

#include <algorithm>
#include <cassert>
#include <tuple>

#include "cli/traffic_octets.h"

namespace curlew::cli {
namespace {

constexpr uint16_t kEtherTypeIpv4 = 0x0800;
constexpr uint16_t kEtherTypeArp = 0x0806;
constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr size_t kMtuOctets = 1500;
constexpr size_t kIpv4HeaderOctets = 20;
constexpr uint64_t kFragmentGapNs = 122'000;  // a full frame at 100 Mbit/s

template <size_t count>
void put_octets(std::string& out, const std::array<uint8_t, count>& octets) {
    out.append(octets.begin(), octets.end());
}

std::string ethernet(const MacAddress& to, const MacAddress& from, uint16_t ether_type) {
    std::string frame;
    put_octets(frame, to);
    put_octets(frame, from);
    put16(frame, ether_type);
    return frame;
}

// RFC 791 section 3.1, with the router alert option of RFC 2113 when asked for.
//
//    0                   1                   2                   3
//   |Version|  IHL  |Type of Service|          Total Length         |
//   |         Identification        |Flags|      Fragment Offset    |
//   |  Time to Live |    Protocol   |         Header Checksum       |
//   |                       Source Address                          |
//   |                    Destination Address                        |
//   |                    Options                                    |
std::string ipv4_header(const TrafficHost& from,
                        const TrafficHost& to,
                        const Ipv4Header& fields,
                        uint16_t id,
                        uint16_t flags_and_offset,
                        size_t payload_octets) {
    const size_t header_octets = kIpv4HeaderOctets + (fields.router_alert ? 4 : 0);
    std::string header;
    put8(header, 0x40 | header_octets / 4);
    put8(header, 0);
    put16(header, header_octets + payload_octets);
    put16(header, id);
    put16(header, flags_and_offset);
    put8(header, fields.ttl);
    put8(header, fields.protocol);
    put16(header, 0);
    put32(header, from.address);
    put32(header, to.address);
    if (fields.router_alert) {
        put32(header, 0x94040000);
    }
    set16(header, 10, internet_checksum(header));
    return header;
}

// RFC 768: a computed zero is sent as all ones.
std::string udp_datagram(UdpPorts ports, std::string_view payload, const std::string& pseudo) {
    std::string datagram;
    put16(datagram, ports.from);
    put16(datagram, ports.to);
    put16(datagram, 8 + payload.size());
    put16(datagram, 0);
    datagram += payload;
    const uint16_t checksum = internet_checksum(pseudo + datagram);
    set16(datagram, 6, checksum == 0 ? 0xffff : checksum);
    return datagram;
}

std::string ipv6_pseudo_header(const Ipv6Address& from,
                               const Ipv6Address& to,
                               uint8_t next_header,
                               size_t length) {
    std::string pseudo;
    put_octets(pseudo, from);
    put_octets(pseudo, to);
    put32(pseudo, length);
    put32(pseudo, next_header);
    return pseudo;
}

// RFC 8200 section 3, to a group only: its Ethernet address is 33:33 and the last four octets.
void add_ipv6(TrafficCapture& capture,
              uint64_t time_ns,
              const MacAddress& from_mac,
              const Ipv6Address& from,
              const Ipv6Address& to,
              uint8_t next_header,
              uint8_t hop_limit,
              std::string_view payload) {
    std::string frame =
        ethernet({0x33, 0x33, to[12], to[13], to[14], to[15]}, from_mac, kEtherTypeIpv6);
    put32(frame, 0x60000000);
    put16(frame, payload.size());
    put8(frame, next_header);
    put8(frame, hop_limit);
    put_octets(frame, from);
    put_octets(frame, to);
    frame += payload;
    capture.add_frame(time_ns, std::move(frame));
}

// Protocol, then the two ends, the lower one first.
std::string ipv6_flow(const Ipv6Address& from,
                      const Ipv6Address& to,
                      uint8_t protocol,
                      UdpPorts ports) {
    const auto one = std::tuple(from, ports.from);
    const auto other = std::tuple(to, ports.to);
    const auto [low, high] = std::minmax(one, other);
    std::string flow;
    put8(flow, protocol);
    for (const auto& [address, port] : {low, high}) {
        put_octets(flow, address);
        put16(flow, port);
    }
    return flow;
}

}  // namespace

TrafficHost group_host(uint32_t address) {
    TrafficHost host = {.mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .address = address};
    if (address != 0xffffffff) {
        host.mac = {0x01,
                    0x00,
                    0x5e,
                    static_cast<uint8_t>(address >> 16 & 0x7f),
                    static_cast<uint8_t>(address >> 8 & 0xff),
                    static_cast<uint8_t>(address & 0xff)};
    }
    return host;
}

void set16(std::string& octets, size_t at, uint16_t number) {
    octets.at(at) = static_cast<char>(static_cast<uint8_t>(number >> 8));
    octets.at(at + 1) = static_cast<char>(static_cast<uint8_t>(number & 0xff));
}

uint16_t internet_checksum(std::string_view octets) {
    uint64_t sum = 0;
    for (size_t at = 0; at < octets.size(); ++at) {
        const auto octet = static_cast<uint8_t>(octets[at]);
        sum += at % 2 == 0 ? uint64_t{octet} << 8 : octet;
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(~sum & 0xffff);
}

std::string ipv4_pseudo_header(const TrafficHost& from,
                               const TrafficHost& to,
                               uint8_t protocol,
                               size_t length) {
    std::string pseudo;
    put32(pseudo, from.address);
    put32(pseudo, to.address);
    put16(pseudo, protocol);
    put16(pseudo, length);
    return pseudo;
}

void add_ipv4(TrafficCapture& capture,
              uint64_t time_ns,
              TrafficHost& from,
              const TrafficHost& to,
              const Ipv4Header& header,
              std::string_view payload) {
    const uint16_t id = from.next_ip_id++;
    const size_t header_octets = kIpv4HeaderOctets + (header.router_alert ? 4 : 0);
    const size_t piece_octets = (kMtuOctets - header_octets) / 8 * 8;
    size_t at = 0;
    do {
        const std::string_view piece = payload.substr(at, piece_octets);
        const bool more = at + piece.size() < payload.size();
        const bool whole = at == 0 && !more;
        size_t flags_and_offset = at / 8;
        flags_and_offset |= more ? 0x2000 : 0;
        flags_and_offset |= whole && from.dont_fragment ? 0x4000 : 0;
        std::string frame = ethernet(to.mac, from.mac, kEtherTypeIpv4);
        frame += ipv4_header(
            from, to, header, id, static_cast<uint16_t>(flags_and_offset), piece.size());
        frame += piece;
        capture.add_frame(time_ns, std::move(frame));
        time_ns += kFragmentGapNs;
        at += piece.size();
    } while (at < payload.size());
}

void add_udp(TrafficCapture& capture,
             uint64_t time_ns,
             TrafficHost& from,
             const TrafficHost& to,
             UdpPorts ports,
             std::string_view payload,
             std::string_view label) {
    capture.expect_flow({from.address, ports.from}, {to.address, ports.to}, kProtocolUdp, label);
    const std::string pseudo = ipv4_pseudo_header(from, to, kProtocolUdp, 8 + payload.size());
    add_ipv4(capture,
             time_ns,
             from,
             to,
             {.protocol = kProtocolUdp, .ttl = from.ttl},
             udp_datagram(ports, payload, pseudo));
}

void add_port_unreachable(TrafficCapture& capture,
                          uint64_t time_ns,
                          TrafficHost& from,
                          const TrafficHost& to,
                          UdpPorts refused,
                          size_t refused_payload_octets,
                          std::string_view label) {
    capture.expect_flow({from.address, 0}, {to.address, 0}, kProtocolIcmp, label);
    // The refused datagram's own header, as its sender made it, and eight octets of it.
    std::string message;
    put32(message, 0x03030000);
    put32(message, 0);
    message += ipv4_header(to,
                           from,
                           {.protocol = kProtocolUdp, .ttl = to.ttl},
                           static_cast<uint16_t>(to.next_ip_id - 1),
                           to.dont_fragment ? 0x4000 : 0,
                           8 + refused_payload_octets);
    put16(message, refused.from);
    put16(message, refused.to);
    put16(message, 8 + refused_payload_octets);
    put16(message, 0);
    set16(message, 2, internet_checksum(message));
    add_ipv4(capture, time_ns, from, to, {.protocol = kProtocolIcmp, .ttl = from.ttl}, message);
}

void add_igmp(TrafficCapture& capture,
              uint64_t time_ns,
              TrafficHost& from,
              const TrafficHost& to,
              uint8_t type,
              uint32_t group,
              std::string_view label) {
    constexpr uint8_t kQuery = 0x11;
    constexpr uint8_t kLongestResponseTenths = 100;
    capture.expect_flow({from.address, 0}, {to.address, 0}, kProtocolIgmp, label);
    std::string message;
    put8(message, type);
    put8(message, type == kQuery ? kLongestResponseTenths : 0);
    put16(message, 0);
    put32(message, group);
    set16(message, 2, internet_checksum(message));
    add_ipv4(capture,
             time_ns,
             from,
             to,
             {.protocol = kProtocolIgmp, .ttl = 1, .router_alert = true},
             message);
}

void add_arp(TrafficCapture& capture,
             uint64_t time_ns,
             const TrafficHost& from,
             const TrafficHost& to,
             bool is_request) {
    const MacAddress everyone = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const MacAddress unknown = {};
    std::string frame = ethernet(is_request ? everyone : to.mac, from.mac, kEtherTypeArp);
    put16(frame, 1);
    put16(frame, kEtherTypeIpv4);
    put8(frame, 6);
    put8(frame, 4);
    put16(frame, is_request ? 1 : 2);
    put_octets(frame, from.mac);
    put32(frame, from.address);
    put_octets(frame, is_request ? unknown : to.mac);
    put32(frame, to.address);
    capture.add_frame(time_ns, std::move(frame));
    capture.count_not_ip();
}

void add_spanning_tree(TrafficCapture& capture, uint64_t time_ns, const MacAddress& bridge) {
    std::string message;
    put24(message, 0x424203);  // LLC: spanning tree, unnumbered information
    put32(message, 0);         // protocol, version, type: configuration
    put8(message, 0);          // flags
    put16(message, 0x8001);    // root: priority 32768, extension 1
    put_octets(message, bridge);
    put32(message, 0);  // cost
    put16(message, 0x8001);
    put_octets(message, bridge);
    put16(message, 0x8002);  // port
    put16(message, 0);       // age; the rest in 1/256 s
    put16(message, 20 * 256);
    put16(message, 2 * 256);
    put16(message, 15 * 256);
    std::string frame = ethernet(
        {0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}, bridge, static_cast<uint16_t>(message.size()));
    capture.add_frame(time_ns, frame + message);
    capture.count_not_ip();
}

Ipv6Address link_local(const MacAddress& mac) {
    return {0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            static_cast<uint8_t>(mac[0] ^ 2),
            mac[1],
            mac[2],
            0xff,
            0xfe,
            mac[3],
            mac[4],
            mac[5]};
}

void add_ipv6_udp(TrafficCapture& capture,
                  uint64_t time_ns,
                  const MacAddress& from_mac,
                  const Ipv6Address& from,
                  const Ipv6Address& to_group,
                  UdpPorts ports,
                  std::string_view payload) {
    constexpr uint8_t kHopLimit = 255;
    capture.expect_ipv6_flow(ipv6_flow(from, to_group, kProtocolUdp, ports));
    const std::string pseudo = ipv6_pseudo_header(from, to_group, kProtocolUdp, 8 + payload.size());
    add_ipv6(capture,
             time_ns,
             from_mac,
             from,
             to_group,
             kProtocolUdp,
             kHopLimit,
             udp_datagram(ports, payload, pseudo));
}

void add_icmpv6(TrafficCapture& capture,
                uint64_t time_ns,
                const MacAddress& from_mac,
                const Ipv6Address& from,
                const Ipv6Address& to_group,
                std::string_view hop_by_hop,
                std::string message) {
    // Listener reports go one hop, neighbour discovery must arrive with all of its hops.
    const uint8_t hop_limit = hop_by_hop.empty() ? 255 : 1;
    capture.expect_ipv6_flow(ipv6_flow(from, to_group, kProtocolIcmpv6, {}));
    const std::string pseudo = ipv6_pseudo_header(from, to_group, kProtocolIcmpv6, message.size());
    set16(message, 2, internet_checksum(pseudo + message));
    add_ipv6(capture,
             time_ns,
             from_mac,
             from,
             to_group,
             hop_by_hop.empty() ? kProtocolIcmpv6 : uint8_t{0},
             hop_limit,
             std::string(hop_by_hop) + message);
}

}  // namespace curlew::cli

#include "probe/joy_packet.h"

#include <algorithm>
#include <cassert>

#include "probe/network_order.h"

namespace curlew::probe {

namespace {

constexpr uint32_t kEthernetOctets = 14;
constexpr uint32_t kVlanTagOctets = 4;
constexpr uint32_t kLeastIpHeader = 20;
constexpr uint16_t kIpv4 = 0x0800;
constexpr uint16_t kCustomerTag = 0x8100;
constexpr uint16_t kServiceTag = 0x88a8;
constexpr uint16_t kOldServiceTag = 0x9100;  // in libpcap's `vlan`, and nothing to Joy

constexpr uint8_t kIcmp = 1;
constexpr size_t kUdpHeader = 8;
constexpr size_t kIcmpHeader = 8;

uint16_t ethertype_of(const PacketView& view) noexcept {
    return view.captured_octets < kEthernetOctets ? uint16_t{0} : read_16(view.data + 12);
}

bool is_tag(uint16_t ethertype) noexcept {
    return ethertype == kCustomerTag || ethertype == kServiceTag;
}

// Where the IPv4 header begins, or 0.
uint32_t find_ipv4(const PacketView& view) noexcept {
    constexpr int kMaximumTags = 2;
    uint16_t ethertype = ethertype_of(view);
    uint32_t at = kEthernetOctets;
    for (int tags = 0; tags < kMaximumTags && is_tag(ethertype); ++tags) {
        if (view.captured_octets < at + kVlanTagOctets) {
            return 0;
        }
        ethertype = read_16(view.data + at + 2);
        at += kVlanTagOctets;
    }
    return ethertype == kIpv4 ? at : 0;
}

void take_ports(JoyPacket& packet) noexcept {
    packet.key.source_port = read_16(packet.transport.data());
    packet.key.destination_port = read_16(packet.transport.data() + 2);
}

// TCP, RFC 9293 section 3.1: the data offset is the high half of octet 12, in words.
void read_transport(JoyPacket& packet) noexcept {
    const std::span<const uint8_t> transport = packet.transport;
    packet.payload = transport;
    switch (packet.key.protocol) {
        case kJoyTcp: {
            const size_t header = transport.size() < kJoyTcpHeader ? 0 : (transport[12] >> 4) * 4u;
            packet.malformed = header < kJoyTcpHeader || header > transport.size();
            if (!packet.malformed) {
                take_ports(packet);
                packet.payload = transport.subspan(header);
            }
            break;
        }
        case kJoyUdp:
            packet.malformed = transport.size() < kUdpHeader;
            if (!packet.malformed) {
                take_ports(packet);
                packet.payload = transport.subspan(kUdpHeader);
            }
            break;
        case kIcmp:
            packet.malformed = transport.size() < kIcmpHeader;
            if (!packet.malformed) {
                packet.payload = transport.subspan(kIcmpHeader);
            }
            break;
        default:
            break;
    }
}

}  // namespace

const char* name_of(JoyVerdict verdict) noexcept {
    switch (verdict) {
        case JoyVerdict::metered:
            return "metered";
        case JoyVerdict::not_ethernet:
            return "not_ethernet";
        case JoyVerdict::not_ipv4:
            return "not_ipv4";
        case JoyVerdict::ip_header_malformed:
            return "ip_header_malformed";
        case JoyVerdict::ip_truncated:
            return "ip_truncated";
        case JoyVerdict::count_:
            break;
    }
    return "";
}

bool passes_joy_filter(const PacketView& view) noexcept {
    assert(view.link == LinkType::ethernet);
    const uint16_t ethertype = ethertype_of(view);
    return ethertype == kIpv4 || is_tag(ethertype) || ethertype == kOldServiceTag;
}

// IPv4, RFC 791 section 3.1:
//   |Version| IHL  |Type of service|         Total length          |
//   |        Identification        |0|D|M|   Fragment offset       |
//   | Time to live |    Protocol   |        Header checksum        |
//   |                         Source address                      |
//   |                      Destination address                    |
// Joy holds the total length against the whole frame's captured octets, link header included, so
// it takes packets that lack up to 22 octets, and read past them. Here they are 0.
JoyVerdict JoyPacketReader::read(const PacketView& view, JoyPacket& packet) {
    if (view.link != LinkType::ethernet) {
        return JoyVerdict::not_ethernet;
    }
    const uint32_t ip_at = find_ipv4(view);
    if (ip_at == 0) {
        return JoyVerdict::not_ipv4;
    }
    if (view.captured_octets < ip_at + kLeastIpHeader) {
        return JoyVerdict::ip_truncated;
    }
    const uint8_t* ip = view.data + ip_at;
    const size_t header = (ip[0] & 0x0fu) * 4;
    const size_t total = read_16(ip + 2);
    // Joy takes a total length below the header's and then runs past the packet.
    if (header < kLeastIpHeader || total < header) {
        return JoyVerdict::ip_header_malformed;
    }
    if (total > view.captured_octets) {
        return JoyVerdict::ip_truncated;
    }
    packet = JoyPacket{};
    packet.ip = {ip, std::min<size_t>(total, view.captured_octets - ip_at)};
    if (packet.ip.size() < total) {
        completed_.assign(packet.ip.begin(), packet.ip.end());
        completed_.resize(total);
        packet.ip = completed_;
        packet.completed = true;
    }
    packet.transport = packet.ip.subspan(header);
    packet.time_us = view.time_ns / 1000;
    packet.ip_id = read_16(packet.ip.data() + 4);
    packet.ttl = packet.ip[8];
    packet.key.source = read_32(packet.ip.data() + 12);
    packet.key.destination = read_32(packet.ip.data() + 16);
    const bool first_fragment = (read_16(packet.ip.data() + 6) & 0x1fff) == 0;
    packet.key.protocol = first_fragment ? packet.ip[9] : uint8_t{0};
    read_transport(packet);
    return JoyVerdict::metered;
}

}  // namespace curlew::probe

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "probe/fragment_table.h"
#include "probe/packet_parser.h"

// Input: one octet link type, key_vlan and decapsulate, two octets by which the wire length exceeds
// what was captured, then the captured octets.

namespace curlew::probe {

namespace {

constexpr size_t kPrologueOctets = 3;
// Stays on whatever the build says of asserts.
void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

bool holds(const uint8_t* inner, size_t inner_octets, const uint8_t* outer, size_t outer_octets) {
    return inner >= outer && inner_octets <= outer_octets &&
           static_cast<size_t>(inner - outer) <= outer_octets - inner_octets;
}

bool has_ports(const ParsedPacket& parsed) {
    return probe::has_ports(parsed.key.protocol) && parsed.transport != nullptr &&
           parsed.transport + 4 <= parsed.ip + parsed.ip_captured_octets;
}

void check_key(const FlowKey& key, bool from_low) {
    const int order = std::memcmp(key.low_address.data(), key.high_address.data(), 16);
    require(order <= 0);
    require(order < 0 || key.low_port <= key.high_port);
    require(order < 0 || key.low_port < key.high_port || from_low);
    require(key.ip_version == 4 || key.ip_version == 6);
    require(key.reserved == 0);
    const auto is_zero = [](uint8_t octet) { return octet == 0; };
    require(key.ip_version == 6 ||
            (std::all_of(key.low_address.begin() + 4, key.low_address.end(), is_zero) &&
             std::all_of(key.high_address.begin() + 4, key.high_address.end(), is_zero)));
}

void check_lengths(const PacketView& packet, const ParsedPacket& parsed) {
    const uint32_t captured = packet.captured_octets;
    require(parsed.frame == packet.data);
    require(parsed.frame_octets <= packet.wire_octets);
    require((parsed.source_mac == nullptr) == (parsed.destination_mac == nullptr));
    require(parsed.source_mac == nullptr ||
            (holds(parsed.source_mac, 6, packet.data, captured) &&
             holds(parsed.destination_mac, 6, packet.data, captured)));
    require(holds(parsed.ip, parsed.ip_captured_octets, packet.data, captured));
    require(parsed.ip_captured_octets <= parsed.octets);
    require(holds(
        parsed.payload, parsed.payload_captured_octets, parsed.ip, parsed.ip_captured_octets));
    require(parsed.payload_captured_octets <= parsed.payload_octets);
    require(parsed.payload_octets <= parsed.octets);
    const bool truncated = (parsed.notes & kNoteTruncated) != 0;
    require(truncated == (parsed.ip_captured_octets < parsed.octets));
    // Whoever reads the octets finds them readable.
    volatile uint8_t seen = 0;
    for (uint32_t i = 0; i < parsed.payload_captured_octets; ++i) {
        seen = parsed.payload[i];
    }
    static_cast<void>(seen);
}

void check_transport(const ParsedPacket& parsed) {
    const bool later = (parsed.notes & kNoteLaterFragment) != 0;
    require(later == (parsed.transport == nullptr));
    require(!later || (parsed.notes & kNoteFragment) != 0);
    require(parsed.notes < 1 << kPacketNoteCount);
    for (int bit = 0; bit < kPacketNoteCount; ++bit) {
        require(std::strlen(name_of_note(bit)) > 0);
    }
    if (!later) {
        require(holds(parsed.transport, 0, parsed.ip, parsed.ip_captured_octets));
        require(parsed.transport <= parsed.payload);
    }
    if (!has_ports(parsed)) {
        require(parsed.key.low_port == 0);
        require(parsed.key.high_port == 0);
    }
    if (parsed.tcp_header_octets != 0) {
        require(parsed.key.protocol == kProtocolTcp);
        require(parsed.tcp_header_octets >= 20 && parsed.tcp_header_octets <= 60);
        require(parsed.payload == parsed.transport + parsed.tcp_header_octets);
    }
}

void check_tunnels(const PacketView& packet,
                   const ParserConfig& config,
                   const ParsedPacket& parsed) {
    require(parsed.tunnel_count <= kMaximumTunnels);
    require(((parsed.notes & kNoteTunnelled) != 0) == (parsed.tunnel_count != 0));
    // PPPoE as a link is no matter of choice.
    require(config.decapsulate || parsed.tunnel_count == 0 || packet.link == LinkType::pppoe);
    require(parsed.key.tunnel_id == 0 || parsed.tunnel_count != 0);
    for (size_t i = 0; i < parsed.tunnel_count; ++i) {
        const TunnelMark& mark = parsed.tunnels[i];
        require(mark.outer_ip == kNoOuterIp ||
                holds(packet.data + mark.outer_ip, 20, packet.data, packet.captured_octets));
        require(packet.data + mark.outer_ip < parsed.ip || mark.outer_ip == kNoOuterIp);
        const StoredTunnel stored = stored_tunnel(mark, packet.data);
        require(stored.address_octets == 0 || stored.address_octets == 4 ||
                stored.address_octets == 16);
    }
}

// The same packet the other way has the same key.
void check_reverse(const PacketView& packet,
                   const ParserConfig& config,
                   const ParsedPacket& forward) {
    std::vector<uint8_t> octets(packet.data, packet.data + packet.captured_octets);
    uint8_t* ip = octets.data() + (forward.ip - packet.data);
    const size_t address_octets = forward.key.ip_version == 4 ? 4 : 16;
    uint8_t* addresses = ip + (forward.key.ip_version == 4 ? 12 : 8);
    std::swap_ranges(addresses, addresses + address_octets, addresses + address_octets);
    if (has_ports(forward)) {
        uint8_t* ports = octets.data() + (forward.transport - packet.data);
        std::swap_ranges(ports, ports + 2, ports + 2);
    }
    PacketView reversed = packet;
    reversed.data = octets.data();
    ParsedPacket reverse;
    const ParseResult result = parse_packet(reversed, config, reverse);
    // Ports that were turned may announce a tunnel, or none any more; and what a label carries is
    // guessed from octets that were turned.
    const auto is_label = [](const TunnelMark& mark) {
        return mark.type == static_cast<uint8_t>(TunnelType::mpls);
    };
    const auto* const tunnels_end = forward.tunnels.data() + forward.tunnel_count;
    if (std::any_of(forward.tunnels.data(), tunnels_end, is_label) ||
        reverse.tunnel_count != forward.tunnel_count) {
        return;
    }
    require(result == ParseResult::metered);
    require(reverse.key == forward.key);
    const FlowKey& key = forward.key;
    const bool to_itself = key.low_address == key.high_address && key.low_port == key.high_port;
    require(to_itself ? reverse.from_low && forward.from_low
                      : reverse.from_low != forward.from_low);
}

// A later fragment is given the key of its first, whichever packet that was.
void check_fragments(const ParsedPacket& parsed) {
    FragmentTable table({.capacity = 8}, {});
    ParsedPacket first = parsed;
    first.notes = kNoteFragment;
    ParsedPacket later = parsed;
    later.notes = kNoteFragment | kNoteLaterFragment;
    later.key.low_port = 0;
    later.key.high_port = 0;
    later.from_low = parsed.from_low || parsed.key.low_address == parsed.key.high_address;
    require(!table.resolve(first));
    require(table.resolve(later));
    require(later.key == parsed.key);
    require(later.from_low == parsed.from_low);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_octets) {
    if (input_octets < kPrologueOctets) {
        return 0;
    }
    // A copy of its own, so that the sanitizer sees a read past the end.
    const size_t octets = input_octets - kPrologueOctets;
    const auto captured = std::make_unique<uint8_t[]>(octets);
    std::copy_n(input + kPrologueOctets, octets, captured.get());
    PacketView packet;
    packet.data = octets == 0 ? nullptr : captured.get();
    packet.captured_octets = static_cast<uint32_t>(octets);
    packet.wire_octets = packet.captured_octets + (static_cast<uint32_t>(input[1]) << 8 | input[2]);
    packet.link = static_cast<LinkType>((input[0] & 0x3f) % kLinkTypes);
    const ParserConfig config{.key_vlan = (input[0] & 0x80) != 0,
                              .decapsulate = (input[0] & 0x40) == 0};

    ParsedPacket parsed;
    const ParseResult result = parse_packet(packet, config, parsed);
    require(result < ParseResult::count_);
    require(std::strlen(name_of(result)) > 0);
    if (result != ParseResult::metered) {
        require(parsed.ip == nullptr);
        return 0;
    }
    check_key(parsed.key, parsed.from_low);
    require(parsed.key.vlan == 0 || config.key_vlan);
    check_tunnels(packet, config, parsed);
    check_lengths(packet, parsed);
    check_transport(parsed);
    check_reverse(packet, config, parsed);
    check_fragments(parsed);
    return 0;
}

}  // namespace curlew::probe

#include "probe/packet_parser.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "tests/probe/parsed_packet.h"
#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

namespace curlew::probe {

using tests::check_result;
using tests::from_hex;
using tests::Octets;
using tests::Packet;
using tests::PacketBuilder;
using tests::parse;

namespace {

std::string payload_of(const ParsedPacket& parsed) {
    return std::string(parsed.payload, parsed.payload + parsed.payload_captured_octets);
}

std::string address_text(const std::array<uint8_t, 16>& address, size_t octets) {
    std::string text;
    for (size_t i = 0; i < octets; ++i) {
        text += (i == 0 ? "" : ".") + std::to_string(address[i]);
    }
    return text;
}

PacketBuilder ethernet_ipv4() {
    return PacketBuilder{}.ethernet().ipv4();
}

PacketBuilder ethernet_ipv6() {
    return PacketBuilder{}.ethernet().ipv6();
}

// The packet of a link type, to be followed by IP.
void check_udp_of(const PacketBuilder& link_and_ip) {
    PacketBuilder builder = link_and_ip;
    const Packet packet = builder.udp(1000, 2000).payload("payload").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(17, parsed.key.protocol);
    LONGS_EQUAL(1000, parsed.key.low_port);
    LONGS_EQUAL(2000, parsed.key.high_port);
    STRCMP_EQUAL("payload", payload_of(parsed).c_str());
}

}  // namespace

TEST_GROUP(PacketParser){};

// Link layers.

TEST(PacketParser, ethernet_frame_and_its_lengths_are_told_without_padding) {
    const Packet packet =
        ethernet_ipv4().udp(1, 2).payload("abc").padding(15).time_ns(1234567890123).build();
    const ParsedPacket parsed = parse(packet);
    POINTERS_EQUAL(packet.octets.data(), parsed.destination_mac);
    POINTERS_EQUAL(packet.octets.data() + 6, parsed.source_mac);
    POINTERS_EQUAL(packet.octets.data(), parsed.frame);
    POINTERS_EQUAL(packet.octets.data() + 14, parsed.ip);
    POINTERS_EQUAL(packet.octets.data() + 34, parsed.transport);
    POINTERS_EQUAL(packet.octets.data() + 42, parsed.payload);
    LONGS_EQUAL(60, parsed.frame_octets);
    LONGS_EQUAL(31, parsed.octets);
    LONGS_EQUAL(31, parsed.ip_captured_octets);
    LONGS_EQUAL(3, parsed.payload_captured_octets);
    LONGS_EQUAL(1234567890123, parsed.time_ns);
    LONGS_EQUAL(0, parsed.notes);
}

TEST(PacketParser, untagged_frame_has_no_vlan) {
    const Packet packet = ethernet_ipv4().udp(1, 2).build();
    const ParsedPacket parsed = parse(packet, {.key_vlan = true});
    CHECK_TRUE(parsed.vlans[0] == kNoVlan && parsed.vlans[1] == kNoVlan);
    LONGS_EQUAL(0, parsed.key.vlan);
}

TEST(PacketParser, first_two_of_eight_tags_are_recorded) {
    PacketBuilder builder = PacketBuilder{}.ethernet().vlan(0xe064, 0x88a8).vlan(0).vlan(9, 0x9100);
    for (uint16_t id = 1; id <= 5; ++id) {
        builder.vlan(id);
    }
    const Packet packet = builder.ipv4().udp(1, 2).build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(100, parsed.vlans[0]);  // priority bits are no part of it
    LONGS_EQUAL(0, parsed.vlans[1]);
    LONGS_EQUAL(1, parsed.key.low_port);
}

TEST(PacketParser, ninth_tag_is_not_followed) {
    PacketBuilder builder = PacketBuilder{}.ethernet();
    for (uint16_t id = 1; id <= 9; ++id) {
        builder.vlan(id);
    }
    check_result("not_ip", builder.ipv4().udp(1, 2).build());
}

TEST(PacketParser, vlan_is_keyed_only_when_configured) {
    const Packet packet = PacketBuilder{}.ethernet().vlan(0).vlan(5).ipv4().udp(1, 2).build();
    LONGS_EQUAL(0, parse(packet).key.vlan);
    LONGS_EQUAL(1, parse(packet, {.key_vlan = true}).key.vlan);
}

TEST(PacketParser, llc_snap_carries_ip) {
    check_udp_of(PacketBuilder{}.ethernet().llc_snap().ipv4());
    check_udp_of(PacketBuilder{}.ethernet().vlan(3).llc_snap().ipv6());
}

TEST(PacketParser, other_llc_and_other_ethertypes_are_not_ip) {
    const Octets spanning_tree = from_hex("42 42 03 00 00 00 00 00");
    const Octets discovery = from_hex("aa aa 03 00 00 0c 08 00");  // ethertype of another registry
    const Octets arp = from_hex("00 01 08 00 06 04 00 01");
    check_result("not_ip", PacketBuilder{}.ethernet().ethertype(8).payload(spanning_tree).build());
    check_result("not_ip", PacketBuilder{}.ethernet().ethertype(8).payload(discovery).build());
    check_result("not_ip", PacketBuilder{}.ethernet().ethertype(0x0806).payload(arp).build());
    check_result("not_ip", PacketBuilder{}.ethernet().ethertype(1501).payload(arp).build());
    check_result("not_ip", PacketBuilder{}.ethernet().llc_snap().ethertype(0x809b).build());
}

TEST(PacketParser, frames_cut_in_the_link_header_are_refused) {
    const Packet tagged = PacketBuilder{}.ethernet().vlan(3).llc_snap().ipv4().build();
    for (size_t octets = 0; octets < 26; ++octets) {
        check_result("link_header_truncated", tagged.captured(octets));
    }
    check_result("ip_header_truncated", tagged.captured(26));
}

TEST(PacketParser, raw_ip_is_told_by_its_version) {
    check_udp_of(PacketBuilder{}.ipv4());
    check_udp_of(PacketBuilder{}.ipv6());
    Packet packet = PacketBuilder{}.ipv4().udp(1, 2).build();
    packet.octets[0] = 0x55;
    check_result("ip_header_malformed", packet);
    check_result("ip_header_truncated", packet.captured(0));
}

TEST(PacketParser, loopback_family_is_read_in_either_byte_order) {
    for (const bool big_endian : {false, true}) {
        check_udp_of(PacketBuilder{}.null_loopback(2, big_endian).ipv4());
        for (const uint32_t family : {10u, 24u, 28u, 30u}) {
            check_udp_of(PacketBuilder{}.null_loopback(family, big_endian).ipv6());
        }
    }
    const Packet other = PacketBuilder{}.null_loopback(7).ipv4().build();
    check_result("not_ip", other);
    check_result("link_header_truncated", other.captured(3));
}

TEST(PacketParser, cooked_captures_carry_ip_tags_and_llc) {
    check_udp_of(PacketBuilder{}.linux_sll().ipv4());
    check_udp_of(PacketBuilder{}.linux_sll().llc_snap().ipv4());
    check_udp_of(PacketBuilder{}.linux_sll2().ipv6());
    const Packet packet = PacketBuilder{}.linux_sll2().vlan(77).ipv4().udp(1, 2).build();
    LONGS_EQUAL(77, parse(packet).vlans[0]);
    POINTERS_EQUAL(nullptr, parse(packet).source_mac);
    check_result("link_header_truncated", packet.captured(19));
    check_result("link_header_truncated", packet.captured(23));
    check_result("not_ip", PacketBuilder{}.linux_sll().ethertype(0x0806).build());
}

// The key.

TEST(PacketParser, both_directions_have_one_key) {
    const Packet request = ethernet_ipv4().tcp(40000, 80).build();
    const Packet answer =
        PacketBuilder{}.ethernet().ipv4("10.0.0.2", "10.0.0.1").tcp(80, 40000).build();
    const ParsedPacket forward = parse(request);
    const ParsedPacket reverse = parse(answer);
    CHECK_TRUE(forward.key == reverse.key);
    CHECK_TRUE(forward.from_low);
    CHECK_FALSE(reverse.from_low);
    STRCMP_EQUAL("10.0.0.1", address_text(forward.key.low_address, 4).c_str());
    STRCMP_EQUAL("10.0.0.2", address_text(forward.key.high_address, 4).c_str());
    LONGS_EQUAL(40000, forward.key.low_port);
    LONGS_EQUAL(80, forward.key.high_port);
    LONGS_EQUAL(4, forward.key.ip_version);
    LONGS_EQUAL(6, forward.key.protocol);
}

TEST(PacketParser, addresses_compare_as_octets) {
    const Packet packet =
        PacketBuilder{}.ethernet().ipv4("200.0.0.1", "9.255.255.255").udp(1, 2).build();
    const ParsedPacket parsed = parse(packet);
    CHECK_FALSE(parsed.from_low);
    STRCMP_EQUAL("9.255.255.255", address_text(parsed.key.low_address, 4).c_str());
    const Packet six = PacketBuilder{}.ipv6("2001:db8::ff00:0", "2001:db8::1").udp(1, 2).build();
    CHECK_FALSE(parse(six).from_low);
    LONGS_EQUAL(2, parse(six).key.low_port);
}

TEST(PacketParser, ports_decide_between_equal_addresses) {
    const Packet to_high = PacketBuilder{}.ipv4("10.0.0.1", "10.0.0.1").udp(7, 8).build();
    const Packet to_low = PacketBuilder{}.ipv4("10.0.0.1", "10.0.0.1").udp(8, 7).build();
    const Packet to_itself = PacketBuilder{}.ipv4("10.0.0.1", "10.0.0.1").udp(7, 7).build();
    const Packet to_itself_six = PacketBuilder{}.ipv6("::1", "::1").udp(7, 7).build();
    CHECK_TRUE(parse(to_high).from_low);
    CHECK_FALSE(parse(to_low).from_low);
    CHECK_TRUE(parse(to_high).key == parse(to_low).key);
    CHECK_TRUE(parse(to_itself).from_low && parse(to_itself_six).from_low);
}

TEST(PacketParser, sctp_has_ports) {
    const ParsedPacket parsed = parse(ethernet_ipv4().protocol(132).payload("abcd").build());
    LONGS_EQUAL(0x6162 + 0x6364, parsed.key.low_port + parsed.key.high_port);
}

TEST(PacketParser, other_protocols_have_no_ports) {
    const Packet packet =
        ethernet_ipv4().protocol(47).payload(from_hex("0000 0800 4500 0014")).build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(47, parsed.key.protocol);
    LONGS_EQUAL(0, parsed.key.low_port + parsed.key.high_port);
    LONGS_EQUAL(8, parsed.payload_octets);
    POINTERS_EQUAL(packet.octets.data() + 34, parsed.payload);
}

TEST(PacketParser, ip_in_ip_is_the_outer_flow_when_nothing_is_decapsulated) {
    const Packet packet = ethernet_ipv4().ipv4("172.16.0.1", "172.16.0.2").udp(1, 2).build();
    const ParsedPacket parsed = parse(packet, {.decapsulate = false});
    LONGS_EQUAL(4, parsed.key.protocol);
    LONGS_EQUAL(0, parsed.key.low_port);
    STRCMP_EQUAL("10.0.0.1", address_text(parsed.key.low_address, 4).c_str());
}

TEST(PacketParser, result_is_untouched_by_a_refused_packet) {
    ParsedPacket parsed;
    parsed.octets = 4711;
    const Packet arp = PacketBuilder{}.ethernet().ethertype(0x0806).build();
    parse_packet(arp.view(), {}, parsed);
    LONGS_EQUAL(4711, parsed.octets);
}

TEST(PacketParser, nothing_is_left_of_the_packet_before) {
    const Packet later = ethernet_ipv4().fragment(1, 8, false).protocol(6).payload("x").build();
    const Packet whole = PacketBuilder{}.linux_sll().ipv6().tcp(3, 4).sequence(9).build();
    const Packet icmp = ethernet_ipv4().icmp(8).build();
    // Up to the last field that always means something.
    const size_t octets = offsetof(ParsedPacket, tunnel_count) + 1;
    for (const Packet* packet : {&later, &whole, &icmp}) {
        ParsedPacket over_zeros;
        ParsedPacket over_ones;
        std::memset(static_cast<void*>(&over_zeros), 0, sizeof(ParsedPacket));
        std::memset(static_cast<void*>(&over_ones), 1, sizeof(ParsedPacket));
        parse_packet(packet->view(), {}, over_zeros);
        parse_packet(packet->view(), {}, over_ones);
        MEMCMP_EQUAL(&over_zeros, &over_ones, octets);
    }
}

// IPv4.

TEST(PacketParser, ipv4_fields_are_read) {
    PacketBuilder ip = ethernet_ipv4().ttl(3).class_of_service(0xb8).ip_id(0xbeef);
    const Packet packet = ip.options(from_hex("94 04 00 00 01")).udp(1, 2).payload("x").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(3, parsed.ttl);
    LONGS_EQUAL(0xb8, parsed.class_of_service);
    LONGS_EQUAL(0xbeef, parsed.ip_id);
    LONGS_EQUAL(37, parsed.octets);
    POINTERS_EQUAL(packet.octets.data() + 14 + 28, parsed.transport);
}

TEST(PacketParser, contradicting_ipv4_headers_are_malformed) {
    check_result("ip_header_malformed", ethernet_ipv4().header_octets(16).udp(1, 2).build());
    check_result("ip_header_malformed", ethernet_ipv4().length(19).udp(1, 2).build());
    check_result("ip_header_malformed", ethernet_ipv4().header_octets(24).length(23).build());
    check_result(
        "ip_header_malformed",
        PacketBuilder{}.ethernet().ethertype(0x0800).ipv6().class_of_service(0x50).build());
    check_result("ip_header_malformed", ethernet_ipv4().length(0).build());
}

TEST(PacketParser, ipv4_headers_cut_by_the_capture_are_truncated) {
    const Packet packet = ethernet_ipv4().options(from_hex("01010101")).udp(1, 2).build();
    check_result("ip_header_truncated", packet.captured(14));
    check_result("ip_header_truncated", packet.captured(14 + 19));
    check_result("ip_header_truncated", packet.captured(14 + 23));
    check_result("metered", packet.captured(14 + 24));
}

TEST(PacketParser, first_ipv4_fragment_has_ports_and_a_whole_udp_length) {
    PacketBuilder ip = ethernet_ipv4().fragment(0x1234, 0, true);
    const Packet packet = ip.udp(1000, 2000).length(3008).payload("ab").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteFragment, parsed.notes);
    LONGS_EQUAL(0x1234, parsed.fragment_id);
    LONGS_EQUAL(1000, parsed.key.low_port);
    LONGS_EQUAL(2, parsed.payload_octets);
}

TEST(PacketParser, later_ipv4_fragment_has_no_transport) {
    const Packet packet =
        ethernet_ipv4().fragment(0x1234, 1480, false).protocol(17).payload("0123456789").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteFragment | kNoteLaterFragment, parsed.notes);
    POINTERS_EQUAL(nullptr, parsed.transport);
    LONGS_EQUAL(17, parsed.key.protocol);
    LONGS_EQUAL(0, parsed.key.low_port + parsed.key.high_port);
    STRCMP_EQUAL("0123456789", payload_of(parsed).c_str());
}

TEST(PacketParser, dont_fragment_is_no_fragment) {
    Packet packet = ethernet_ipv4().udp(1, 2).build();
    packet.octets[14 + 6] = 0x40;
    LONGS_EQUAL(0, parse(packet).notes);
}

// IPv6.

TEST(PacketParser, ipv6_fields_are_read) {
    const Packet packet =
        ethernet_ipv6().ttl(9).class_of_service(0xb8).udp(2000, 1000).payload("abc").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(6, parsed.key.ip_version);
    LONGS_EQUAL(9, parsed.ttl);
    LONGS_EQUAL(0xb8, parsed.class_of_service);
    LONGS_EQUAL(0, parsed.ip_id);
    LONGS_EQUAL(51, parsed.octets);
    LONGS_EQUAL(2000, parsed.key.low_port);
    STRCMP_EQUAL("32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.2",
                 address_text(parsed.key.high_address, 16).c_str());
}

TEST(PacketParser, extension_headers_lead_to_the_transport) {
    PacketBuilder builder = ethernet_ipv6();
    for (const uint8_t kind : Octets{0, 60, 43, 51, 139, 140}) {
        builder.extension(kind, Octets(9, 1));
    }
    const Packet packet = builder.tcp(1, 2).payload("payload").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(6, parsed.key.protocol);
    LONGS_EQUAL(40 + 5 * 16 + 12 + 20 + 7, parsed.octets);
    STRCMP_EQUAL("payload", payload_of(parsed).c_str());
}

TEST(PacketParser, sixteen_extension_headers_are_walked_and_no_more) {
    PacketBuilder builder = ethernet_ipv6();
    for (int i = 0; i < 16; ++i) {
        builder.extension(60);
    }
    PacketBuilder longer = builder;
    check_result("metered", builder.udp(1, 2).build());
    check_result("ip_extensions_malformed", longer.extension(60).udp(1, 2).build());
}

TEST(PacketParser, walk_ends_at_encryption_and_at_no_next_header) {
    const Packet encrypted = ethernet_ipv6().extension(60).protocol(50).payload("secret").build();
    const Packet empty = ethernet_ipv6().extension(0).protocol(59).payload("left").build();
    LONGS_EQUAL(50, parse(encrypted).key.protocol);
    LONGS_EQUAL(6, parse(encrypted).payload_octets);
    LONGS_EQUAL(59, parse(empty).key.protocol);
    LONGS_EQUAL(4, parse(empty).payload_octets);
}

TEST(PacketParser, lying_extension_lengths_are_malformed) {
    Packet packet = ethernet_ipv6().extension(60).udp(1, 2).build();
    packet.octets[14 + 40 + 1] = 2;  // 24 octets, of which the packet has 16
    check_result("ip_extensions_malformed", packet);
    check_result("ip_extensions_malformed", ethernet_ipv6().length(7).extension(60).build());
}

TEST(PacketParser, extension_headers_cut_by_the_capture_are_truncated) {
    const Packet packet = ethernet_ipv6().extension(60, Octets(14)).udp(1, 2).build();
    check_result("ip_header_truncated", packet.captured(14 + 39));
    check_result("ip_header_truncated", packet.captured(14 + 47));
    check_result("ip_header_truncated", packet.captured(14 + 55));
    check_result("metered", packet.captured(14 + 56));
}

TEST(PacketParser, ipv6_fragments_are_told_apart) {
    const Packet first =
        ethernet_ipv6().fragment(0xdeadbeef, 0, true).udp(1, 2).length(2000).build();
    const Packet later =
        ethernet_ipv6().fragment(0xdeadbeef, 1448, false).protocol(17).payload("rest").build();
    const Packet atomic = ethernet_ipv6().fragment(0xdeadbeef, 0, false).udp(1, 2).build();
    LONGS_EQUAL(kNoteFragment, parse(first).notes);
    LONGS_EQUAL(0xdeadbeef, parse(first).fragment_id);
    LONGS_EQUAL(1, parse(first).key.low_port);
    LONGS_EQUAL(kNoteFragment | kNoteLaterFragment, parse(later).notes);
    POINTERS_EQUAL(nullptr, parse(later).transport);
    STRCMP_EQUAL("rest", payload_of(parse(later)).c_str());
    LONGS_EQUAL(0, parse(atomic).notes);
    LONGS_EQUAL(1, parse(atomic).key.low_port);
    // A header behind a later fragment's is data.
    const Packet data = ethernet_ipv6().fragment(1, 8, false).protocol(60).payload("abc").build();
    LONGS_EQUAL(60, parse(data).key.protocol);
    LONGS_EQUAL(3, parse(data).payload_octets);
}

TEST(PacketParser, jumbogram_is_as_long_as_its_frame) {
    const Octets jumbo = from_hex("c2 04 00 01 11 80");
    PacketBuilder ip = PacketBuilder{}.ipv6().length(0).extension(0, jumbo);
    const Packet packet = ip.udp(1, 2).length(0).payload(Octets(70000)).build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteLengthFromFrame, parsed.notes);
    LONGS_EQUAL(70056, parsed.octets);
    LONGS_EQUAL(70000, parsed.payload_octets);
}

// Transports.

TEST(PacketParser, tcp_fields_are_read) {
    PacketBuilder tcp = ethernet_ipv4().tcp(40000, 443).flags("SC").sequence(0xfffffff0);
    tcp.acknowledgement(0x01020304).window(8192).options(from_hex("02 04 05 b4"));
    const Packet packet = tcp.payload("early").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(0x82, parsed.tcp_flags);
    LONGS_EQUAL(0xfffffff0, parsed.tcp_sequence);
    LONGS_EQUAL(0x01020304, parsed.tcp_acknowledgement);
    LONGS_EQUAL(8192, parsed.tcp_window);
    LONGS_EQUAL(24, parsed.tcp_header_octets);
    LONGS_EQUAL(5, parsed.payload_octets);
    STRCMP_EQUAL("early", payload_of(parsed).c_str());
}

TEST(PacketParser, lying_tcp_offset_is_malformed_and_leaves_the_ports) {
    for (const uint8_t header_octets : Octets{16, 28}) {
        PacketBuilder tcp = ethernet_ipv4().tcp(5, 6).flags("F").header_octets(header_octets);
        const Packet packet = tcp.payload("abc").build();
        const ParsedPacket parsed = parse(packet);
        LONGS_EQUAL(kNoteTransportMalformed, parsed.notes);
        LONGS_EQUAL(5, parsed.key.low_port);
        LONGS_EQUAL(0, parsed.tcp_flags);
        LONGS_EQUAL(0, parsed.tcp_header_octets);
        LONGS_EQUAL(0, parsed.payload_octets);
        LONGS_EQUAL(0, parsed.payload_captured_octets);
    }
}

TEST(PacketParser, transport_shorter_than_its_header_is_malformed) {
    for (const uint8_t protocol : Octets{6, 17, 1, 58}) {
        const Packet packet =
            ethernet_ipv4().protocol(protocol).payload(from_hex("0005 0006 00")).build();
        const ParsedPacket parsed = parse(packet);
        LONGS_EQUAL(kNoteTransportMalformed, parsed.notes);
        LONGS_EQUAL(protocol == 6 || protocol == 17 ? 5 : 0, parsed.key.low_port);
        LONGS_EQUAL(0, parsed.payload_octets);
    }
}

TEST(PacketParser, ports_beyond_the_ip_packet_are_not_read) {
    const Packet packet =
        ethernet_ipv4().protocol(17).payload(from_hex("000500")).trailer(Octets(20, 1)).build();
    LONGS_EQUAL(0, parse(packet).key.low_port + parse(packet).key.high_port);
}

TEST(PacketParser, tcp_header_cut_by_the_capture_is_not_malformed) {
    PacketBuilder tcp = ethernet_ipv4().tcp(5, 6).flags("S").options(from_hex("02 04 05 b4"));
    const Packet packet = tcp.payload("12345").build();
    const Packet at_ports = packet.captured(34 + 4);
    const Packet before_ports = packet.captured(34 + 3);
    const Packet at_offset = packet.captured(34 + 16);
    const Packet in_options = packet.captured(34 + 23);
    LONGS_EQUAL(kNoteTruncated, parse(at_ports).notes);
    LONGS_EQUAL(5, parse(at_ports).key.low_port);
    LONGS_EQUAL(9, parse(at_ports).payload_octets);  // 20 octets of header assumed
    LONGS_EQUAL(0, parse(before_ports).key.low_port);
    LONGS_EQUAL(5, parse(at_offset).payload_octets);
    LONGS_EQUAL(2, parse(at_offset).tcp_flags);
    LONGS_EQUAL(kNoteTruncated, parse(in_options).notes);
    LONGS_EQUAL(5, parse(in_options).payload_octets);
    LONGS_EQUAL(0, parse(in_options).payload_captured_octets);
    LONGS_EQUAL(0, parse(in_options).tcp_header_octets);
}

TEST(PacketParser, udp_payload_is_by_the_ip_length) {
    const Packet shorter = ethernet_ipv4().udp(1, 2).length(9).payload("abc").build();
    const Packet too_short = ethernet_ipv4().udp(1, 2).length(7).payload("abc").build();
    const Packet too_long = ethernet_ipv4().udp(1, 2).length(12).payload("abc").build();
    LONGS_EQUAL(0, parse(shorter).notes);
    LONGS_EQUAL(3, parse(shorter).payload_octets);
    LONGS_EQUAL(kNoteTransportMalformed, parse(too_short).notes);
    LONGS_EQUAL(3, parse(too_short).payload_octets);
    LONGS_EQUAL(kNoteTransportMalformed, parse(too_long).notes);
    LONGS_EQUAL(3, parse(too_long).payload_octets);
}

TEST(PacketParser, icmp_has_type_code_and_payload_behind_eight_octets) {
    const Packet four = ethernet_ipv4().icmp(3, 1).payload("quoted").build();
    const Packet six = ethernet_ipv6().icmp6(135).payload("neighbour").build();
    LONGS_EQUAL(3, parse(four).icmp_type);
    LONGS_EQUAL(1, parse(four).icmp_code);
    STRCMP_EQUAL("quoted", payload_of(parse(four)).c_str());
    LONGS_EQUAL(135, parse(six).icmp_type);
    LONGS_EQUAL(9, parse(six).payload_octets);
    LONGS_EQUAL(0, parse(six).key.low_port);
}

TEST(PacketParser, igmp_payload_is_all_behind_ip) {
    const Octets router_alert = from_hex("94 04 00 00");
    const Packet packet = ethernet_ipv4().options(router_alert).igmp(0x16, 7, "224.0.0.1").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(0x16, parsed.icmp_type);
    LONGS_EQUAL(7, parsed.icmp_code);
    LONGS_EQUAL(8, parsed.payload_octets);
    POINTERS_EQUAL(packet.octets.data() + 38, parsed.payload);
}

TEST(PacketParser, pointers_stay_inside_however_much_was_captured) {
    PacketBuilder ip = PacketBuilder{}.ethernet().vlan(5).ipv6().extension(0).fragment(1, 0, true);
    const Packet packet = ip.tcp(1, 2).options(Octets(12, 1)).payload("payload").build();
    for (size_t octets = 0; octets <= packet.octets.size(); ++octets) {
        const Packet cut = packet.captured(octets);
        ParsedPacket parsed;
        if (parse_packet(cut.view(), {}, parsed) != ParseResult::metered) {
            continue;
        }
        const uint8_t* end = cut.octets.data() + octets;
        CHECK_TRUE(parsed.ip + parsed.ip_captured_octets <= end);
        CHECK_TRUE(parsed.payload + parsed.payload_captured_octets <= end);
        CHECK_TRUE(parsed.payload_captured_octets <= parsed.payload_octets);
        CHECK_TRUE(octets < packet.octets.size() || parsed.payload_captured_octets == 7);
    }
}

TEST(PacketParser, results_and_notes_have_their_ledger_names) {
    STRCMP_EQUAL("ip_extensions_malformed", name_of(ParseResult::ip_extensions_malformed));
    STRCMP_EQUAL("truncated", name_of_note(0));
    STRCMP_EQUAL("length_from_frame", name_of_note(5));
    STRCMP_EQUAL("length_beyond_frame", name_of_note(kPacketNoteCount - 1));
}

}  // namespace curlew::probe

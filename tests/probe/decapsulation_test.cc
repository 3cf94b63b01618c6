#include "probe/decapsulation.h"

#include <arpa/inet.h>

#include <array>
#include <string>
#include <vector>

#include "probe/packet_parser.h"
#include "tests/probe/parsed_packet.h"
#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

namespace curlew::probe {

using tests::from_hex;
using tests::Octets;
using tests::Packet;
using tests::PacketBuilder;
using tests::parse;

namespace {

std::string tunnel_end(const std::array<uint8_t, 16>& address, uint8_t octets) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(octets == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
    return text.data();
}

// Each tunnel as "type number:id:source>destination", what is not there left out.
std::string tunnels_of(const ParsedPacket& parsed) {
    std::string text;
    for (size_t i = 0; i < parsed.tunnel_count; ++i) {
        const StoredTunnel tunnel = stored_tunnel(parsed.tunnels[i], parsed.frame);
        text += (i == 0 ? "" : " ") + std::to_string(tunnel.type);
        text += tunnel.has_id != 0 ? ":" + std::to_string(tunnel.id) : "";
        if (tunnel.address_octets != 0) {
            text += ":" + tunnel_end(tunnel.source, tunnel.address_octets) + ">" +
                    tunnel_end(tunnel.destination, tunnel.address_octets);
        }
    }
    return text;
}

std::string notes_of(const ParsedPacket& parsed) {
    std::string text;
    for (int bit = 0; bit < kPacketNoteCount; ++bit) {
        if ((parsed.notes >> bit & 1) != 0) {
            text += (text.empty() ? "" : " ") + std::string(name_of_note(bit));
        }
    }
    return text;
}

PacketBuilder outer() {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2");
}

PacketBuilder outer_udp(uint16_t source, uint16_t destination) {
    return outer().udp(source, destination);
}

Packet with_inner(const PacketBuilder& tunnel) {
    PacketBuilder builder = tunnel;
    return builder.ipv4("192.0.2.9", "198.51.100.2")
        .ttl(7)
        .tcp(40000, 80)
        .flags("PA")
        .payload("inner")
        .build();
}

void check_is_inner(const ParsedPacket& parsed) {
    LONGS_EQUAL(6, parsed.key.protocol);
    STRCMP_EQUAL("192.0.2.9", tunnel_end(parsed.key.low_address, 4).c_str());
    STRCMP_EQUAL("198.51.100.2", tunnel_end(parsed.key.high_address, 4).c_str());
    LONGS_EQUAL(40000, parsed.key.low_port);
    LONGS_EQUAL(80, parsed.key.high_port);
    LONGS_EQUAL(45, parsed.octets);
    LONGS_EQUAL(7, parsed.ttl);
    LONGS_EQUAL(0x18, parsed.tcp_flags);
    STRCMP_EQUAL(
        "inner",
        std::string(parsed.payload, parsed.payload + parsed.payload_captured_octets).c_str());
}

// What the tunnel carries is the flow, and the tunnels around it are told.
void check_inner(const char* tunnels, const PacketBuilder& tunnel) {
    const Packet packet = with_inner(tunnel);
    const ParsedPacket parsed = parse(packet);
    STRCMP_EQUAL(tunnels, tunnels_of(parsed).c_str());
    STRCMP_EQUAL("tunnelled", notes_of(parsed).c_str());
    check_is_inner(parsed);
    LONGS_EQUAL(packet.octets.size(), parsed.frame_octets);
    // The tunnel itself is the flow when that is wanted.
    ParsedPacket apart;
    if (parse_packet(packet.view(), {.decapsulate = false}, apart) == ParseResult::metered) {
        LONGS_EQUAL(0, apart.tunnel_count);
        CHECK_TRUE(apart.key.protocol != 6);
    }
}

// The packet is a flow of what is outside, which is the given protocol.
void check_outer(uint8_t protocol, const char* notes, const Packet& packet) {
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(protocol, parsed.key.protocol);
    STRCMP_EQUAL("10.0.0.1", tunnel_end(parsed.key.low_address, 4).c_str());
    LONGS_EQUAL(0, parsed.tunnel_count);
    LONGS_EQUAL(0, parsed.key.tunnel_id);
    STRCMP_EQUAL(notes, notes_of(parsed).c_str());
}

constexpr const char* kOuter = "10.0.0.1>10.0.0.2";
std::string over_outer(const std::string& tunnel) {
    return tunnel + ":" + kOuter;
}

}  // namespace

TEST_GROUP(Decapsulation){};

// Below IP.

TEST(Decapsulation, mpls_labels_over_ethernet_and_ppp) {
    check_inner("1:100", PacketBuilder{}.ethernet().mpls(100));
    check_inner("1:3000", PacketBuilder{}.ethernet().vlan(5).mpls(16, false).mpls(3000));
    check_inner("1:5", PacketBuilder{}.ethernet().ethertype(0x8848).mpls(5));
    check_inner("1:6", PacketBuilder{}.ppp().ethertype(0x0281).mpls(6));
    check_inner((over_outer("3") + " 1:9").c_str(), outer().gre().mpls(9));
}

TEST(Decapsulation, mpls_carries_ipv6_by_its_first_nibble) {
    const Packet packet = PacketBuilder{}.ethernet().mpls(1).ipv6().udp(1, 2).build();
    LONGS_EQUAL(6, parse(packet).key.ip_version);
}

TEST(Decapsulation, pseudowire_with_and_without_control_word) {
    check_inner("1:7", PacketBuilder{}.ethernet().mpls(7).header(from_hex("00000000")).ethernet());
    check_inner("1:7", PacketBuilder{}.ethernet().mpls(7).ethernet());
    // A destination that begins as IPv4 does.
    check_inner(
        "1:7",
        PacketBuilder{}.ethernet().mpls(7).ethernet("02:00:00:00:00:01", "45:00:00:1e:00:00"));
    check_inner("1:7 1:8", PacketBuilder{}.ethernet().mpls(7).ethernet().vlan(3).mpls(8));
}

TEST(Decapsulation, more_labels_than_the_limit_are_not_followed) {
    PacketBuilder builder = PacketBuilder{}.ethernet();
    for (int i = 0; i < 16; ++i) {
        builder.mpls(16, false);
    }
    const Packet packet = with_inner(builder.mpls(16));
    ParsedPacket parsed;
    STRCMP_EQUAL("not_ip", name_of(parse_packet(packet.view(), {}, parsed)));
}

TEST(Decapsulation, mpls_that_carries_no_ip_is_not_ip) {
    const Packet arp =
        PacketBuilder{}.ethernet().mpls(7).ethernet().ethertype(0x0806).payload(Octets(28)).build();
    ParsedPacket parsed;
    STRCMP_EQUAL("not_ip", name_of(parse_packet(arp.view(), {}, parsed)));
    const Packet cut = PacketBuilder{}.ethernet().mpls(7, false).build();
    STRCMP_EQUAL("link_header_truncated", name_of(parse_packet(cut.view(), {}, parsed)));
}

TEST(Decapsulation, pppoe_session_carries_ip) {
    check_inner("2:4660", PacketBuilder{}.ethernet().pppoe(0x1234).ppp(false));
    check_inner("2:1",
                PacketBuilder{}.ethernet().vlan(1, 0x88a8).vlan(2).pppoe(1).ppp(false, true));
}

TEST(Decapsulation, pppoe_of_other_codes_and_protocols_is_not_ip) {
    ParsedPacket parsed;
    const Packet control =
        PacketBuilder{}.ethernet().pppoe(1).ppp(false).ethertype(0xc021).payload("x").build();
    STRCMP_EQUAL("not_ip", name_of(parse_packet(control.view(), {}, parsed)));
    const Packet discovery =
        PacketBuilder{}.ethernet().ethertype(0x8863).payload(Octets(20)).build();
    STRCMP_EQUAL("not_ip", name_of(parse_packet(discovery.view(), {}, parsed)));
}

// GRE and what it alone carries.

TEST(Decapsulation, gre_with_each_of_its_fields) {
    check_inner(over_outer("3").c_str(), outer().gre());
    check_inner(over_outer("3").c_str(), outer().gre({0x80, 0}, from_hex("abcd0000")));
    check_inner(over_outer("3:66").c_str(), outer().gre({0x20, 0}, from_hex("00000042")));
    check_inner(over_outer("3").c_str(), outer().gre({0x10, 0}, from_hex("00000001")));
    check_inner(over_outer("3:66").c_str(),
                outer().gre({0xb0, 0}, from_hex("abcd0000 00000042 00000001")));
    // A routing entry of one address, and the one that ends them.
    check_inner(over_outer("3").c_str(),
                outer().gre({0x40, 0}, from_hex("00000000 0800 00 04 0a000003 0000 00 00")));
    check_inner("3:2001:db8::1>2001:db8::2", PacketBuilder{}.ethernet().ipv6().gre());
}

TEST(Decapsulation, gre_bridges_ethernet) {
    check_inner(over_outer("3").c_str(), outer().gre().ethernet());
    check_inner(over_outer("3").c_str(), outer().gre().ethernet().vlan(9));
}

TEST(Decapsulation, pptp_carries_ppp) {
    // Payload length 49, call id 7, sequence and acknowledgement numbers.
    check_inner(over_outer("4:7").c_str(),
                outer().gre({0x30, 0x81}, from_hex("00310007 00000001 00000002")).ppp());
}

TEST(Decapsulation, pptp_acknowledgement_carries_nothing) {
    const Octets header = from_hex("2081 880b 0000 0007 00000002");
    check_outer(47, "tunnel_not_ip", outer().protocol(47).payload(header).build());
}

TEST(Decapsulation, erspan_of_all_three_types) {
    check_inner(over_outer("5").c_str(),
                outer().protocol(47).header(from_hex("0000 88be")).ethernet());
    // Version 1, VLAN 100, session 33.
    check_inner(
        over_outer("5:33").c_str(),
        outer().protocol(47).header(from_hex("1000 88be 00000001 1064 0021 00000000")).ethernet());
    // Version 2, session 34, and then with the 8 octets of a platform.
    check_inner(over_outer("5:34").c_str(),
                outer()
                    .protocol(47)
                    .header(from_hex("1000 22eb 00000001 2064 0022 00000000 0000 8000"))
                    .ethernet());
    check_inner(over_outer("5:34").c_str(),
                outer()
                    .protocol(47)
                    .header(from_hex("1000 22eb 00000001 2064 0022 00000000 0000 8001"
                                     "0000000000000000"))
                    .ethernet());
    // Frame type 2: IP.
    check_inner(
        over_outer("5:34").c_str(),
        outer().protocol(47).header(from_hex("1000 22eb 00000001 2064 0022 00000000 0000 0800")));
}

TEST(Decapsulation, wccp_redirect_header_is_passed) {
    check_inner(over_outer("3").c_str(), outer().protocol(47).header(from_hex("0000 883e")));
    check_inner(over_outer("3").c_str(),
                outer().protocol(47).header(from_hex("0000 883e 01020300")));
}

TEST(Decapsulation, gre_for_something_else_stays_a_flow_of_its_own) {
    const Octets arp(28);
    check_outer(
        47, "tunnel_not_ip", outer().gre().ethernet().ethertype(0x0806).payload(arp).build());
    check_outer(47, "tunnel_not_ip", outer().protocol(47).payload(from_hex("0000 0000")).build());
    check_outer(
        47, "tunnel_not_ip", outer().protocol(47).payload(from_hex("0003 0800 45")).build());
}

// IP in IP.

TEST(Decapsulation, either_version_of_ip_in_either) {
    check_inner(over_outer("9").c_str(), outer());
    check_inner("9:2001:db8::1>2001:db8::2", PacketBuilder{}.ethernet().ipv6());
    const Packet four_to_six =
        PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").ipv6().udp(1, 2).build();
    const ParsedPacket parsed = parse(four_to_six);
    LONGS_EQUAL(6, parsed.key.ip_version);
    STRCMP_EQUAL(over_outer("9").c_str(), tunnels_of(parsed).c_str());
    const Packet six_in_six =
        PacketBuilder{}.ethernet().ipv6().ipv6("::1", "::2").udp(1, 2).build();
    STRCMP_EQUAL("::1", tunnel_end(parse(six_in_six).key.low_address, 16).c_str());
}

TEST(Decapsulation, ether_ip) {
    check_inner(over_outer("11").c_str(), outer().protocol(97).header(from_hex("3000")).ethernet());
    check_outer(97,
                "tunnel_unreadable",
                with_inner(outer().protocol(97).header(from_hex("4000")).ethernet()));
}

// Over UDP.

TEST(Decapsulation, vxlan_on_both_ports) {
    check_inner(over_outer("6:5000").c_str(), outer_udp(50000, 4789).vxlan(5000).ethernet());
    check_inner(over_outer("6:0").c_str(), outer_udp(50000, 8472).vxlan(0).ethernet().vlan(1));
    // A group policy.
    check_inner(over_outer("6:1").c_str(),
                outer_udp(50000, 4789).header(from_hex("88000007 00000100")).ethernet());
}

TEST(Decapsulation, network_identifier_is_part_of_the_key) {
    const auto tunnel_id = [](const PacketBuilder& tunnel) {
        const Packet packet = with_inner(tunnel);
        return parse(packet).key.tunnel_id;
    };
    LONGS_EQUAL(5001, tunnel_id(outer_udp(1, 4789).vxlan(5000).ethernet()));
    LONGS_EQUAL(1, tunnel_id(outer_udp(1, 6081).geneve(0)));
    LONGS_EQUAL(8, tunnel_id(outer_udp(1, 4789).vxlan(5).ethernet().ipv4().udp(1, 6081).geneve(7)));
    LONGS_EQUAL(0, tunnel_id(outer().gre({0x20, 0}, from_hex("00000042"))));
    LONGS_EQUAL(0, tunnel_id(outer_udp(1, 2152).gtp_user(77)));
    LONGS_EQUAL(0, tunnel_id(PacketBuilder{}.ethernet().mpls(3)));
}

TEST(Decapsulation, geneve_with_options_and_both_payloads) {
    check_inner(over_outer("7:12").c_str(), outer_udp(50000, 6081).geneve(12));
    check_inner(over_outer("7:12").c_str(),
                outer_udp(50000, 6081).geneve(12, from_hex("0102 80 01 00000001")).ethernet());
}

TEST(Decapsulation, gtp_user_packet_with_extensions) {
    check_inner(over_outer("8:77").c_str(), outer_udp(2152, 2152).gtp_user(77));
    // Sequence number 1, N-PDU 0, a session container of 4 octets, no more.
    check_inner(over_outer("8:77").c_str(),
                outer_udp(2152, 2152).gtp_user(77, from_hex("0001 00 85 01 1001 00")));
}

TEST(Decapsulation, teredo_with_its_indications) {
    const auto check_teredo = [](const PacketBuilder& tunnel, const Octets& trailer) {
        PacketBuilder builder = tunnel;
        const Packet packet = builder.ipv6("2001::1", "2001:db8::9")
                                  .length(static_cast<uint16_t>(11))
                                  .udp(1, 2)
                                  .payload("abc")
                                  .payload(trailer)
                                  .build();
        const ParsedPacket parsed = parse(packet);
        STRCMP_EQUAL(over_outer("10").c_str(), tunnels_of(parsed).c_str());
        LONGS_EQUAL(51, parsed.octets);
        LONGS_EQUAL(3, parsed.payload_octets);
    };
    check_teredo(outer_udp(50000, 3544), {});
    check_teredo(outer_udp(3544, 50000).header(from_hex("0000 1234 c0000201")), {});
    check_teredo(outer_udp(3544, 50000).header(from_hex("0001 0000 0102030405060708 00")), {});
    check_teredo(outer_udp(3544, 50000)
                     .header(from_hex("0001 0001 aa 0102030405060708 00"
                                      "0000 1234 c0000201")),
                 from_hex("0104 00000001"));
}

TEST(Decapsulation, l2tp_data_carries_ppp) {
    check_inner(over_outer("12:131075").c_str(),
                outer_udp(1701, 1701).header(from_hex("0002 0002 0003")).ppp());
    check_inner(
        over_outer("12:131075").c_str(),
        outer_udp(1701, 1701).header(from_hex("4a02 0041 0002 0003 0000 0000 0002 ffff")).ppp());
}

TEST(Decapsulation, gre_and_labels_over_udp) {
    check_inner(over_outer("3:66").c_str(),
                outer_udp(50000, 4754).header(from_hex("2000 0800 00000042")));
    check_inner(over_outer("1:100").c_str(), outer_udp(50000, 6635).mpls(100));
}

TEST(Decapsulation, a_port_without_the_structure_says_nothing) {
    for (const uint16_t port :
         std::array<uint16_t, 8>{4789, 8472, 6081, 2152, 3544, 1701, 4754, 6635}) {
        for (const char* text : {"",
                                 "x",
                                 "GET / HTTP/1.1\r\n\r\n",
                                 "0123456789012345678901234567890"
                                 "1234567890123456789"}) {
            check_outer(17, "", outer_udp(50000, port).payload(text).build());
        }
        // What begins like the tunnel's header, and has nothing of use inside.
        for (const char* header : {"08010000 00000100",
                                   "0000 6558 000001 01",
                                   "30ff 0800 00000001",
                                   "4002 0400 0001 0001"}) {
            check_outer(17, "", outer_udp(50000, port).payload(from_hex(header)).build());
        }
    }
}

TEST(Decapsulation, lengths_that_do_not_fit_are_no_gtp_and_no_teredo) {
    // Eight octets more than there are.
    check_outer(17, "", with_inner(outer_udp(2152, 2152).header(from_hex("30ff 0035 00000001"))));
    PacketBuilder teredo = outer_udp(50000, 3544);
    check_outer(17, "", teredo.ipv6().length(100).udp(1, 2).build());
    PacketBuilder trailed = outer_udp(50000, 3544);
    check_outer(17, "", trailed.ipv6().length(8).udp(1, 2).payload("no trailers").build());
}

// Where the way ends.

TEST(Decapsulation, four_tunnels_are_followed_and_no_more) {
    check_inner((over_outer("9") + " 9:10.0.0.3>10.0.0.4 3:10.0.0.5>10.0.0.6 1:5").c_str(),
                outer().ipv4("10.0.0.3", "10.0.0.4").ipv4("10.0.0.5", "10.0.0.6").gre().mpls(5));
    const Packet fifth = with_inner(outer()
                                        .ipv4("10.0.0.3", "10.0.0.4")
                                        .ipv4("10.0.0.5", "10.0.0.6")
                                        .ipv4("10.0.0.7", "10.0.0.8")
                                        .ipv4("10.0.0.9", "10.0.0.10"));
    const ParsedPacket parsed = parse(fifth);
    LONGS_EQUAL(4, parsed.tunnel_count);
    LONGS_EQUAL(4, parsed.key.protocol);
    STRCMP_EQUAL("10.0.0.9", tunnel_end(parsed.key.low_address, 4).c_str());
    STRCMP_EQUAL("tunnelled tunnel_too_deep", notes_of(parsed).c_str());
}

TEST(Decapsulation, what_cannot_be_read_inside_is_a_flow_of_the_outside) {
    const Packet whole = with_inner(outer().gre());
    // Ethernet 14, IP 20, GRE 4, IP 20: cut before the inner header's end.
    check_outer(47, "truncated tunnel_unreadable", whole.captured(57));
    check_is_inner(parse(whole));
    LONGS_EQUAL(40000, parse(whole.captured(62)).key.low_port);
    PacketBuilder longer = outer().gre();
    check_outer(47, "tunnel_unreadable", longer.ipv4().length(200).udp(1, 2).build());
    PacketBuilder version = outer();
    check_outer(4, "tunnel_unreadable", version.protocol(4).payload(Octets(40)).build());
    check_outer(17,
                "tunnel_not_ip",
                outer_udp(1, 4789).vxlan(1).ethernet().ethertype(0x0806).payload("arp").build());
}

TEST(Decapsulation, inner_packet_that_is_malformed_itself_is_the_flow) {
    PacketBuilder builder = outer().gre();
    const Packet packet = builder.ipv4("192.0.2.9", "192.0.2.10").udp(1, 2).length(3).build();
    const ParsedPacket parsed = parse(packet);
    STRCMP_EQUAL("transport_malformed tunnelled", notes_of(parsed).c_str());
}

TEST(Decapsulation, of_an_outer_packet_in_fragments_the_first_is_followed) {
    PacketBuilder builder = outer().fragment(9, 0, true).gre();
    const Packet first = builder.ipv4("192.0.2.9", "198.51.100.2")
                             .length(1000)
                             .tcp(40000, 80)
                             .payload("inner")
                             .build();
    const ParsedPacket parsed = parse(first);
    LONGS_EQUAL(40000, parsed.key.low_port);
    LONGS_EQUAL(1000, parsed.octets);
    LONGS_EQUAL(5, parsed.payload_captured_octets);
    STRCMP_EQUAL("truncated tunnelled tunnel_fragment", notes_of(parsed).c_str());
    PacketBuilder datagram = outer().fragment(9, 0, true).udp(2152, 2152).length(988 + 16);
    const Packet gtp = datagram.header(from_hex("30ff 03dc 0000004d"))
                           .ipv4("192.0.2.9", "198.51.100.2")
                           .length(988)
                           .tcp(40000, 80)
                           .build();
    LONGS_EQUAL(988, parse(gtp).octets);
    STRCMP_EQUAL(over_outer("8:77").c_str(), tunnels_of(parse(gtp)).c_str());
    const Packet later = outer().fragment(9, 48, false).protocol(47).payload("the rest").build();
    check_outer(47, "fragment later_fragment tunnel_fragment", later);
}

// What else the record has of the frame.

TEST(Decapsulation, macs_and_vlans_are_those_of_the_innermost_frame) {
    const Packet bridged = with_inner(PacketBuilder{}
                                          .ethernet("02:00:00:00:00:0a", "02:00:00:00:00:0b")
                                          .vlan(9)
                                          .ipv4()
                                          .udp(1, 4789)
                                          .vxlan(1)
                                          .ethernet("02:00:00:00:00:0c", "02:00:00:00:00:0d")
                                          .vlan(7));
    const ParsedPacket parsed = parse(bridged, {.key_vlan = true});
    LONGS_EQUAL(0x0c, parsed.source_mac[5]);
    LONGS_EQUAL(0x0d, parsed.destination_mac[5]);
    LONGS_EQUAL(7, parsed.vlans[0]);
    LONGS_EQUAL(10, parsed.key.vlan);
    const Packet routed = with_inner(
        PacketBuilder{}.ethernet("02:00:00:00:00:0a", "02:00:00:00:00:0b").vlan(9).ipv4().gre());
    LONGS_EQUAL(0x0a, parse(routed).source_mac[5]);
    LONGS_EQUAL(9, parse(routed).vlans[0]);
}

}  // namespace curlew::probe

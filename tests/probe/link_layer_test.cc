#include "probe/link_layer.h"

#include <string>

#include "probe/packet_parser.h"
#include "tests/probe/parsed_packet.h"
#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

// Ethernet, raw IP, loopback and cooked captures are tested with the parser
// (packet_parser_test.cc).

namespace curlew::probe {

using tests::check_result;
using tests::from_hex;
using tests::Packet;
using tests::PacketBuilder;

namespace {

Packet udp_behind(LinkType type, const char* header) {
    return PacketBuilder{}
        .plain_link(type, from_hex(header))
        .ipv4()
        .udp(1000, 2000)
        .payload("abc")
        .build();
}

void check_udp(const Packet& packet) {
    ParsedPacket parsed;
    STRCMP_EQUAL("metered", name_of(parse_packet(packet.view(), {}, parsed)));
    LONGS_EQUAL(1000, parsed.key.low_port);
    LONGS_EQUAL(3, parsed.payload_captured_octets);
}

}  // namespace

TEST_GROUP(LinkLayer){};

TEST(LinkLayer, ppp_is_read_framed_and_bare_whole_and_compressed) {
    for (const bool framed : {false, true}) {
        for (const bool compressed : {false, true}) {
            for (PacketBuilder packet : {PacketBuilder{}.ppp(framed, compressed).ipv4(),
                                         PacketBuilder{}.ppp(framed, compressed).ipv6()}) {
                check_udp(packet.udp(1000, 2000).payload("abc").build());
            }
        }
    }
    const Packet link_control = PacketBuilder{}.ppp().ethertype(0xc021).build();
    Packet other_control = PacketBuilder{}.ppp().ipv4().udp(1, 2).build();
    other_control.octets[1] = 0x13;
    check_result("not_ip", link_control);
    check_result("not_ip", other_control);
    for (size_t octets = 0; octets < 4; ++octets) {
        check_result("link_header_truncated", link_control.captured(octets));
    }
}

TEST(LinkLayer, cisco_hdlc) {
    check_udp(udp_behind(LinkType::cisco_hdlc, "0f00 0800"));
    check_udp(udp_behind(LinkType::cisco_hdlc, "8f00 0800"));
    check_udp(udp_behind(LinkType::ppp, "0f00 0800"));
    check_udp(udp_behind(LinkType::ppp, "8f00 0800"));
    check_result("not_ip", udp_behind(LinkType::ppp, "8f00 8035"));
    check_result("not_ip", udp_behind(LinkType::cisco_hdlc, "8f00 8035"));
    check_result("not_ip", udp_behind(LinkType::cisco_hdlc, "0300 0800"));
    check_result("link_header_truncated",
                 udp_behind(LinkType::cisco_hdlc, "0f00 0800").captured(3));
}

TEST(LinkLayer, frame_relay_of_both_kinds) {
    check_udp(udp_behind(LinkType::frame_relay, "1841 03 cc"));
    check_udp(udp_behind(LinkType::frame_relay, "1841 03 00 80 000000 0800"));
    check_udp(udp_behind(LinkType::frame_relay, "18400001 03 cc"));
    check_udp(udp_behind(LinkType::frame_relay, "1841 0800"));
    check_result("not_ip", udp_behind(LinkType::frame_relay, "1841 03 81"));
    check_result("not_ip", udp_behind(LinkType::frame_relay, "1841 03 00 80 0080c2 0007"));
    check_result("link_header_truncated",
                 udp_behind(LinkType::frame_relay, "1841 03 00 80 000000 0800").captured(9));
    check_result("link_header_truncated", udp_behind(LinkType::frame_relay, "1841").captured(3));
}

TEST(LinkLayer, netfilter_log_has_its_packet_in_an_attribute) {
    // An attribute of 5 octets, padded to 8; then the packet of 31.
    check_udp(udp_behind(LinkType::netfilter_log, "02000000 0500 0a00 00000000 2300 0900"));
    check_result("not_ip", udp_behind(LinkType::netfilter_log, "02000000 0300 0a00"));
    check_result("link_header_truncated",
                 udp_behind(LinkType::netfilter_log, "02000000 ffff 0a00"));
    check_result("link_header_truncated",
                 PacketBuilder{}.plain_link(LinkType::netfilter_log, from_hex("02000000")).build());
}

TEST(LinkLayer, netfilter_log_of_many_attributes_is_not_followed) {
    std::string header = "02000000";
    for (int i = 0; i < 32; ++i) {
        header += "0400 0a00";
    }
    check_result("not_ip", udp_behind(LinkType::netfilter_log, (header + "2300 0900").c_str()));
}

TEST(LinkLayer, solaris_ipnet) {
    check_udp(udp_behind(LinkType::solaris_ipnet,
                         "01 02 0001 00000020 00000001 00000001 00000000 00000000"));
    check_result("not_ip",
                 udp_behind(LinkType::solaris_ipnet,
                            "01 07 0001 00000020 00000001 00000001 00000000 00000000"));
}

TEST(LinkLayer, fddi_and_bare_llc) {
    check_udp(udp_behind(LinkType::fddi, "50 020000000001 020000000002 aaaa03 000000 0800"));
    check_result("not_ip",
                 udp_behind(LinkType::fddi, "c1 020000000001 020000000002 aaaa03 000000 0800"));
    check_udp(udp_behind(LinkType::llc, "aaaa03 000000 0800"));
    check_result("link_header_truncated", udp_behind(LinkType::fddi, "50").captured(12));
}

TEST(LinkLayer, security_group_is_passed_as_a_tag_is) {
    const std::string ethernet = "0200 0000 0001 0200 0000 0002 ";
    const auto frame = [&](const std::string& behind) {
        return udp_behind(LinkType::ethernet, (ethernet + behind).c_str());
    };
    const Packet tagged = frame("8909 0101 0001 0007 0800");
    check_udp(tagged);
    check_udp(frame("8100 0005 8909 0101 0001 0007 0800"));
    check_result("not_ip", frame("8909 0201 0001 0007 0800"));
    check_result("not_ip", frame("8909 0101 0001 0007 8909 0101 0001 0007 0800"));
    for (size_t octets = 14; octets < 22; ++octets) {
        check_result("link_header_truncated", tagged.captured(octets));
    }
}

TEST(LinkLayer, pppoe_as_a_link_is_metered_whatever_is_wanted_of_tunnels) {
    const Packet packet = udp_behind(LinkType::pppoe, "1100 0007 0021 0021");
    check_udp(packet);
    ParsedPacket parsed;
    CHECK_TRUE(parse_packet(packet.view(), {.decapsulate = false}, parsed) == ParseResult::metered);
}

}  // namespace curlew::probe

#include "probe/joy_packet.h"

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;

namespace {

PacketBuilder udp(const std::string& payload = "hello") {
    return PacketBuilder{}.ethernet().ipv4().ip_id(7).ttl(9).udp(1000, 2000).payload(payload);
}

}  // namespace

TEST_GROUP(JoyPacket) {
    JoyPacketReader reader;
    JoyPacket packet;

    void expect(JoyVerdict verdict, const Packet& built) {
        STRCMP_EQUAL(name_of(verdict), name_of(reader.read(built.view(), packet)));
    }
};

TEST(JoyPacket, of_udp_has_ports_payload_and_a_time_cut_to_microseconds) {
    const Packet built = udp().time_ns(1'234'567'899).build();
    expect(JoyVerdict::metered, built);
    CHECK_EQUAL(0x0a000001u, packet.key.source);
    CHECK_EQUAL(0x0a000002u, packet.key.destination);
    CHECK_EQUAL(1000, packet.key.source_port);
    CHECK_EQUAL(2000, packet.key.destination_port);
    CHECK_EQUAL(17, packet.key.protocol);
    CHECK_EQUAL(1'234'567u, packet.time_us);
    CHECK_EQUAL(5u, packet.payload.size());
    CHECK_EQUAL(33u, packet.ip.size());
    CHECK_EQUAL(7, packet.ip_id);
    CHECK_EQUAL(9, packet.ttl);
    CHECK_FALSE(packet.malformed);
}

TEST(JoyPacket, ends_where_ip_says_so_and_not_with_the_padding) {
    expect(JoyVerdict::metered, udp("a").padding(20).build());
    CHECK_EQUAL(1u, packet.payload.size());
}

TEST(JoyPacket, is_read_behind_two_tags_and_not_behind_three) {
    const auto ethernet = [] { return PacketBuilder{}.ethernet().vlan(1, 0x88a8).vlan(2); };
    expect(JoyVerdict::metered, ethernet().ipv4().udp(1, 2).build());
    expect(JoyVerdict::not_ipv4, ethernet().vlan(3).ipv4().udp(1, 2).build());
}

TEST(JoyPacket, of_ipv6_or_another_link_is_none) {
    expect(JoyVerdict::not_ipv4, PacketBuilder{}.ethernet().ipv6().udp(1, 2).build());
    expect(JoyVerdict::not_ethernet, PacketBuilder{}.ipv4().udp(1, 2).build());
}

TEST(JoyPacket, with_lengths_that_cannot_be_is_dropped) {
    expect(JoyVerdict::ip_header_malformed,
           PacketBuilder{}.ethernet().ipv4().header_octets(16).udp(1, 2).build());
    expect(JoyVerdict::ip_header_malformed,
           PacketBuilder{}.ethernet().ipv4().length(19).udp(1, 2).build());
    expect(JoyVerdict::ip_header_malformed,
           PacketBuilder{}.ethernet().ipv4().header_octets(24).length(20).udp(1, 2).build());
}

TEST(JoyPacket, longer_than_what_was_captured_is_dropped) {
    const Packet built = udp("0123456789012345678901234567890123456789").build();
    CHECK_EQUAL(82u, built.octets.size());
    expect(JoyVerdict::ip_truncated, built.captured(67));
    expect(JoyVerdict::ip_truncated, built.captured(33));
}

TEST(JoyPacket, that_lacks_no_more_than_a_link_header_is_completed_with_zeros) {
    const Packet built = udp("0123456789012345678901234567890123456789").build();
    expect(JoyVerdict::metered, built.captured(68));
    CHECK_TRUE(packet.completed);
    CHECK_EQUAL(40u, packet.payload.size());
    CHECK_EQUAL('5', packet.payload[25]);
    CHECK_EQUAL(0, packet.payload[26]);
    CHECK_EQUAL(0, packet.payload[39]);
}

TEST(JoyPacket, of_a_later_fragment_has_protocol_0_and_no_ports) {
    expect(JoyVerdict::metered,
           PacketBuilder{}
               .ethernet()
               .ipv4()
               .fragment(1, 8, false)
               .protocol(17)
               .payload("tail")
               .build());
    CHECK_EQUAL(0, packet.key.protocol);
    CHECK_EQUAL(0, packet.key.source_port);
    CHECK_EQUAL(4u, packet.payload.size());
    CHECK_FALSE(packet.malformed);
}

TEST(JoyPacket, of_a_first_fragment_is_like_any_other) {
    expect(
        JoyVerdict::metered,
        PacketBuilder{}.ethernet().ipv4().fragment(1, 0, true).udp(5, 6).payload("head").build());
    CHECK_EQUAL(17, packet.key.protocol);
    CHECK_EQUAL(5, packet.key.source_port);
}

TEST(JoyPacket, with_a_transport_header_that_cannot_be_has_no_ports_and_all_for_payload) {
    const Packet lying =
        PacketBuilder{}.ethernet().ipv4().tcp(1, 2).header_octets(60).payload("x").build();
    const Packet short_udp =
        PacketBuilder{}.ethernet().ipv4().protocol(17).payload("1234567").build();
    const Packet short_icmp =
        PacketBuilder{}.ethernet().ipv4().protocol(1).payload("1234567").build();
    expect(JoyVerdict::metered, lying);
    CHECK_TRUE(packet.malformed);
    CHECK_EQUAL(6, packet.key.protocol);
    CHECK_EQUAL(0, packet.key.source_port);
    CHECK_EQUAL(21u, packet.payload.size());
    for (const Packet& built : {short_udp, short_icmp}) {
        expect(JoyVerdict::metered, built);
        CHECK_TRUE(packet.malformed);
        CHECK_EQUAL(7u, packet.payload.size());
    }
}

TEST(JoyPacket, payload_of_icmp_is_behind_eight_octets_and_of_igmp_behind_none) {
    expect(JoyVerdict::metered, PacketBuilder{}.ethernet().ipv4().icmp(8).payload("ping").build());
    CHECK_EQUAL(4u, packet.payload.size());
    expect(JoyVerdict::metered,
           PacketBuilder{}.ethernet().ipv4().igmp(0x16, 0, "224.0.0.251").build());
    CHECK_EQUAL(8u, packet.payload.size());
}

TEST(JoyPacket, passes_the_filter_as_ip_or_vlan_whatever_the_tag_carries) {
    CHECK_TRUE(passes_joy_filter(udp().build().view()));
    CHECK_TRUE(
        passes_joy_filter(PacketBuilder{}.ethernet().vlan(1).ipv6().udp(1, 2).build().view()));
    CHECK_TRUE(passes_joy_filter(
        PacketBuilder{}.ethernet().vlan(1, 0x9100).ipv4().udp(1, 2).build().view()));
    CHECK_FALSE(passes_joy_filter(PacketBuilder{}.ethernet().ipv6().udp(1, 2).build().view()));
    CHECK_FALSE(passes_joy_filter(udp().build().captured(13).view()));
}

TEST(JoyPacket, keys_reverse) {
    const JoyKey key{1, 2, 3, 4, 17};
    CHECK(key.reversed() == (JoyKey{2, 1, 4, 3, 17}));
    CHECK(key.reversed().reversed() == key);
}

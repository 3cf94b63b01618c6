#include "probe/joy_summary.h"

#include <string>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using curlew::tests::from_hex;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;
namespace proto = curlew::proto;

namespace {

PacketBuilder out() {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").ttl(64).ip_id(3);
}

PacketBuilder back() {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.2", "10.0.0.1").ttl(57);
}

}  // namespace

TEST_GROUP(JoySummary) {
    JoyPacketReader reader;
    JoyPacket packet;
    proto::FlowSummary summary;
    std::unique_ptr<JoyFlow> flow;

    void add(PacketBuilder builder) {
        const Packet built = builder.build();
        CHECK(reader.read(built.view(), packet) == JoyVerdict::metered);
        if (!flow) {
            flow = std::make_unique<JoyFlow>(packet.key);
        } else if (packet.key != flow->older.key() && !flow->newer) {
            flow->newer.emplace(packet.key);
        }
        (packet.key == flow->older.key() ? flow->older : *flow->newer).add(packet);
    }
};

TEST(JoySummary, has_the_identity_as_joy_prints_it) {
    add(back().tcp(80, 1000).flags("SA").time_ns(5000));
    add(out().tcp(1000, 80).flags("A").payload("abc").time_ns(9000));
    summarize(*flow, {.output_ordinal = 4, .first_start_us = 2, .record_number = 1}, summary);
    CHECK(std::string("\x0a\0\0\x01", 4) == summary.initiator_address());
    CHECK_EQUAL(80u, summary.responder_port());
    CHECK_EQUAL(6u, summary.protocol_identifier());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_SYNACK, summary.direction_source());
    CHECK_EQUAL(9000u, summary.flow_start_ns());
    CHECK_EQUAL(5000u, summary.flow_end_ns());
    CHECK_EQUAL(2000u, summary.first_record_start_ns());
    CHECK_EQUAL(1u, summary.record_number());
    CHECK_EQUAL(3u, summary.forward().payload_octets());
    CHECK_EQUAL(64u, summary.published_ttl_out());
    CHECK_EQUAL(57u, summary.published_ttl_in());
    CHECK_FALSE(summary.published_reversed());
    CHECK_EQUAL(4u, summary.joy().output_ordinal());
    CHECK_EQUAL(9u, summary.joy().time_start_us());
}

TEST(JoySummary, lists_of_a_side_have_one_length) {
    add(out().tcp(1000, 80).flags("S").options(from_hex("02 04 05 b4")));
    add(out().tcp(1000, 80).payload("abc"));
    summarize(*flow, {}, summary);
    const proto::JoySide& side = summary.joy().record();
    CHECK_EQUAL(1, side.listed().time_us_size());
    CHECK_EQUAL(1, side.listed().payload_octets_size());
    CHECK_EQUAL(2, side.segments().time_us_size());
    CHECK_EQUAL(2, side.segments().option_octets_size());
    CHECK_EQUAL(4u, side.segments().options().size());
    CHECK_EQUAL(256, side.byte_counts_size());
    CHECK_EQUAL(4, side.walsh_sums_size());
    CHECK_EQUAL(2, side.ip_ids_size());
    CHECK_EQUAL(2u, side.tcp_start().flags());
    CHECK_EQUAL(1u, side.first_octet().segments());
    CHECK_EQUAL(43u, side.first_packet().size());
}

TEST(JoySummary, has_no_payload_numbers_without_payload) {
    add(out().udp(1000, 2000));
    summarize(*flow, {}, summary);
    const proto::JoySide& side = summary.joy().record();
    CHECK_FALSE(summary.joy().has_twin());
    CHECK_FALSE(summary.has_reverse());
    CHECK_FALSE(summary.has_published_ttl_in());
    CHECK_EQUAL(0, side.byte_counts_size());
    CHECK_EQUAL(0, side.walsh_sums_size());
    CHECK_FALSE(side.has_listed());
    CHECK_FALSE(side.has_tcp_start());
    CHECK_FALSE(side.has_segments());
    CHECK_FALSE(side.has_first_octet());
}

TEST(JoySummary, tells_the_messages_of_a_protocol) {
    add(out().udp(1000, 53).payload(std::string(20, 'q')));
    summarize(*flow, {}, summary);
    CHECK_TRUE(summary.joy().record().has_dns());
    CHECK_FALSE(summary.joy().record().has_tls());
    CHECK_FALSE(summary.joy().record().has_http());
    CHECK_FALSE(summary.joy().record().has_dhcp());
}

TEST(JoySummary, nothing_of_the_record_before_stays) {
    add(out().udp(1000, 2000));
    summary.set_tunnel_id(7);
    summary.mutable_joy()->mutable_twin()->set_packets(4);
    summarize(*flow, {}, summary);
    CHECK_EQUAL(0u, summary.tunnel_id());
    CHECK_FALSE(summary.joy().has_twin());
}

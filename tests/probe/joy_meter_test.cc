#include "probe/joy_meter.h"

#include <string>
#include <vector>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;
namespace proto = curlew::proto;

namespace {

PacketBuilder packet_of(double seconds) {
    return PacketBuilder{}.ethernet().ipv4().time_ns(static_cast<uint64_t>(seconds * 1e9));
}

Packet out(double seconds, uint16_t port) {
    return packet_of(seconds).udp(port, 7).payload("out").build();
}

Packet back(double seconds, uint16_t port) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.2", "10.0.0.1")
        .time_ns(static_cast<uint64_t>(seconds * 1e9))
        .udp(7, port)
        .payload("back")
        .build();
}

Packet arp(double seconds) {
    return PacketBuilder{}
        .ethernet()
        .ethertype(0x0806)
        .payload("who has")
        .time_ns(static_cast<uint64_t>(seconds * 1e9))
        .build();
}

}  // namespace

TEST_GROUP(JoyMeter) {
    JoyMeterConfig config;
    std::vector<proto::FlowSummary> records;
    std::unique_ptr<JoyMeter> meter;

    void add(const std::vector<Packet>& packets) {
        if (!meter) {
            meter = std::make_unique<JoyMeter>(
                config, [this](const proto::FlowSummary& record) { records.push_back(record); });
        }
        for (const Packet& packet : packets) {
            meter->add(packet.view());
        }
    }
    // Five packets of a flow to itself, so that the list is looked at once.
    void look_at(double seconds) {
        for (int i = 0; i < 5; ++i) {
            add({out(seconds, 9999)});
        }
    }
};

TEST(JoyMeter, two_directions_are_twins_in_one_record) {
    add({out(1, 1000), back(1.5, 1000)});
    meter->finish();
    CHECK_EQUAL(1u, records.size());
    CHECK_TRUE(records[0].joy().has_twin());
    CHECK_EQUAL(1000u, records[0].initiator_port());
    CHECK_EQUAL(3u, records[0].forward().payload_octets());
    CHECK_EQUAL(4u, records[0].reverse().payload_octets());
    CHECK_EQUAL(1u, meter->counters().flows_created);
}

TEST(JoyMeter, a_key_that_is_its_own_reverse_has_no_twin) {
    const auto to_itself = [](double seconds) {
        return PacketBuilder{}
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.1")
            .time_ns(static_cast<uint64_t>(seconds * 1e9))
            .udp(5, 5)
            .build();
    };
    add({to_itself(1), to_itself(2)});
    meter->finish();
    CHECK_EQUAL(1u, records.size());
    CHECK_FALSE(records[0].joy().has_twin());
    CHECK_EQUAL(2u, records[0].joy().record().packets());
}

TEST(JoyMeter, looks_at_its_list_after_every_fifth_packet_alone) {
    add({out(1, 1), out(20, 2), out(20, 2), out(20, 2)});
    CHECK_EQUAL(0u, records.size());
    // Late, and yet added to the old record, for nobody has looked.
    add({out(20, 1)});
    CHECK_EQUAL(0u, records.size());
    CHECK_EQUAL(2u, meter->live_flows());
    meter->finish();
    CHECK_EQUAL(2u, records[0].joy().record().packets());
}

TEST(JoyMeter, counts_packets_that_pass_the_filter_for_the_fifth) {
    add({out(1, 1), arp(20), arp(20), arp(20), arp(20), out(20, 2), out(20, 2), out(20, 2)});
    CHECK_EQUAL(0u, records.size());
    add({out(20, 2)});
    CHECK_EQUAL(1u, records.size());
}

TEST(JoyMeter, behind_another_filter_counts_every_packet) {
    config.default_filter = false;
    add({out(1, 1), out(20, 2), arp(20), arp(20)});
    CHECK_EQUAL(0u, records.size());
    add({arp(20)});
    CHECK_EQUAL(1u, records.size());
}

TEST(JoyMeter, the_time_of_what_is_not_ip_is_not_looked_at) {
    config.default_filter = false;
    add({out(1, 1), arp(20), arp(20), arp(20), arp(20)});
    CHECK_EQUAL(0u, records.size());
}

TEST(JoyMeter, an_old_flow_that_lives_keeps_all_that_are_younger) {
    add({out(1, 1), out(1, 2), out(12, 1), out(12, 1), out(12, 1)});
    CHECK_EQUAL(0u, records.size());
    CHECK_EQUAL(2u, meter->live_flows());
    look_at(23);
    CHECK_EQUAL(2u, records.size());
    CHECK_EQUAL(1u, records[0].initiator_port());
    CHECK_EQUAL(2u, records[1].initiator_port());
    CHECK_EQUAL(1u, records[1].joy().output_ordinal());
}

TEST(JoyMeter, end_of_input_looks_once_more_and_then_ends_all_without_a_letter) {
    add({out(1, 1), out(20, 2)});
    meter->finish();
    CHECK_EQUAL(2u, records.size());
    CHECK_EQUAL(proto::JOY_EXPIRY_INACTIVE, records[0].joy().expiry());
    CHECK_EQUAL(proto::FLOW_END_REASON_IDLE_TIMEOUT, records[0].flow_end_reason());
    CHECK_EQUAL(proto::JOY_EXPIRY_NONE, records[1].joy().expiry());
    CHECK_EQUAL(proto::FLOW_END_REASON_FORCED_END, records[1].flow_end_reason());
}

TEST(JoyMeter, a_letter_is_missing_where_the_younger_side_goes_first) {
    const auto query = curlew::tests::from_hex("00 02 01 00 00 01 00 00 00 00 00 00");
    add({packet_of(1).udp(1000, 53).payload(query).build(),
         PacketBuilder{}
             .ethernet()
             .ipv4("10.0.0.2", "10.0.0.1")
             .time_ns(1'100'000'000)
             .udp(53, 1000)
             .build()});
    look_at(40);
    CHECK_EQUAL(53u, records[0].initiator_port());
    CHECK_EQUAL(proto::FLOW_END_REASON_ACTIVE_TIMEOUT, records[0].flow_end_reason());
    CHECK_EQUAL(proto::JOY_EXPIRY_NONE, records[0].joy().expiry());
}

TEST(JoyMeter, records_of_a_5_tuple_are_numbered_in_order_of_output) {
    add({out(1, 1)});
    look_at(20);
    add({back(21, 1)});
    meter->finish();
    CHECK_EQUAL(3u, records.size());
    CHECK_EQUAL(0u, records[0].record_number());
    CHECK_EQUAL(7u, records[2].initiator_port());
    CHECK_EQUAL(1u, records[2].record_number());
    CHECK_EQUAL(1'000'000'000u, records[2].first_record_start_ns());
}

TEST(JoyMeter, past_its_memory_ends_the_oldest_flow_and_says_so) {
    config.memory_octets = 8000;
    for (uint16_t port = 1; port <= 20; ++port) {
        add({out(1, port)});
    }
    CHECK(meter->live_flows() < 6);
    CHECK(meter->live_flows() >= 1);
    CHECK_EQUAL(20u, records.size() + meter->live_flows());
    CHECK_EQUAL(1u, records[0].initiator_port());
    CHECK_EQUAL(proto::FLOW_END_REASON_LACK_OF_RESOURCES, records[0].flow_end_reason());
    CHECK_EQUAL(proto::JOY_EXPIRY_NONE, records[0].joy().expiry());
}

TEST(JoyMeter, every_packet_and_record_is_counted_once) {
    add({out(1, 1),
         arp(2),
         PacketBuilder{}.ethernet().ipv6().udp(1, 2).build(),
         PacketBuilder{}.ipv4().udp(1, 2).build(),
         out(3, 2).captured(30),
         out(4, 1)});
    meter->finish();
    const JoyMeterCounters& counters = meter->counters();
    const auto count = [&counters](JoyVerdict verdict) {
        return counters.by_verdict[static_cast<size_t>(verdict)];
    };
    CHECK_EQUAL(2u, count(JoyVerdict::metered));
    CHECK_EQUAL(2u, count(JoyVerdict::not_ipv4));
    CHECK_EQUAL(1u, count(JoyVerdict::not_ethernet));
    CHECK_EQUAL(1u, count(JoyVerdict::ip_truncated));
    CHECK_EQUAL(62u, counters.octets_metered);
    CHECK_EQUAL(1u, counters.records_created);
    CHECK_EQUAL(1u, counters.records_by_reason[static_cast<size_t>(FlowEndReason::forced_end)]);
    CHECK_EQUAL(4'000'000'000u, counters.last_packet_ns);
}

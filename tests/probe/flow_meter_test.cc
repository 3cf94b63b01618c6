#include "probe/flow_meter.h"

#include <set>
#include <string>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

constexpr uint64_t kMeterStart = 1'500'000'000 * kSecond;

PacketBuilder client_at(uint64_t seconds) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .time_ns(kMeterStart + seconds * kSecond);
}

PacketBuilder server_at(uint64_t seconds) {
    return PacketBuilder{}
        .ethernet("02:00:00:00:00:02", "02:00:00:00:00:01")
        .ipv4("10.0.0.2", "10.0.0.1")
        .time_ns(kMeterStart + seconds * kSecond);
}

Packet datagram_of(uint64_t seconds, std::string_view text = "12345") {
    return client_at(seconds).udp(5000, 6000).payload(text).build();
}

Packet segment_at(uint64_t seconds, std::string_view flags) {
    return client_at(seconds).tcp(40000, 80).flags(flags).build();
}

Packet answer_at(uint64_t seconds, std::string_view flags) {
    return server_at(seconds).tcp(80, 40000).flags(flags).build();
}

}  // namespace

TEST_GROUP(FlowMeter){};

TEST(FlowMeter, both_directions_share_one_record) {
    const Metered metered =
        meter({datagram_of(0), server_at(1).udp(6000, 5000).payload("123").build()});
    CHECK_EQUAL(1u, metered.records.size());
    const proto::FlowSummary& record = metered.records[0];
    CHECK_EQUAL(5000u, record.initiator_port());
    CHECK_EQUAL(1u, record.forward().packets());
    CHECK_EQUAL(5u, record.forward().payload_octets());
    CHECK_EQUAL(33u, record.forward().octets());
    CHECK_EQUAL(3u, record.reverse().payload_octets());
    CHECK_EQUAL(kMeterStart, record.flow_start_ns());
    CHECK_EQUAL(kMeterStart + kSecond, record.flow_end_ns());
    CHECK_EQUAL(proto::FLOW_END_REASON_FORCED_END, record.flow_end_reason());
    STRCMP_EQUAL("\x02", record.forward().source_mac().substr(0, 1).c_str());
    CHECK_EQUAL(1, record.forward().source_mac()[5]);
    CHECK_EQUAL(2, record.forward().destination_mac()[5]);
}

TEST(FlowMeter, a_packet_later_than_the_idle_timeout_begins_a_new_flow) {
    const Metered metered = meter({datagram_of(0), datagram_of(60), datagram_of(121)});
    CHECK_EQUAL(2u, metered.records.size());
    CHECK_EQUAL(2u, metered.records[0].forward().packets());
    CHECK_EQUAL(proto::FLOW_END_REASON_IDLE_TIMEOUT, metered.records[0].flow_end_reason());
    CHECK_EQUAL(0u, metered.records[1].record_number());
    CHECK_EQUAL(kMeterStart + 121 * kSecond, metered.records[1].first_record_start_ns());
    CHECK_EQUAL(2u, metered.flows.flows_created);
}

TEST(FlowMeter, a_packet_later_than_the_active_timeout_continues_the_flow_in_a_new_record) {
    std::vector<Packet> packets;
    for (uint64_t second = 0; second <= 301; second += 43) {
        packets.push_back(datagram_of(second));
    }
    const Metered metered = meter(packets);
    CHECK_EQUAL(2u, metered.records.size());
    CHECK_EQUAL(7u, metered.records[0].forward().packets());
    CHECK_EQUAL(proto::FLOW_END_REASON_ACTIVE_TIMEOUT, metered.records[0].flow_end_reason());
    CHECK_EQUAL(1u, metered.records[1].record_number());
    CHECK_EQUAL(1u, metered.records[1].forward().packets());
    CHECK_EQUAL(kMeterStart, metered.records[1].first_record_start_ns());
    CHECK_EQUAL(kMeterStart + 301 * kSecond, metered.records[1].flow_start_ns());
    CHECK_EQUAL(1u, metered.flows.flows_created);
}

TEST(FlowMeter, a_timeout_of_0_is_off) {
    DispatcherConfig config;
    config.worker.meter.timeouts = {0, 0, 0, 0};
    const Metered metered = meter({datagram_of(0), datagram_of(100'000)}, config);
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(2u, metered.records[0].forward().packets());
}

TEST(FlowMeter, cuts_do_not_depend_on_other_flows_or_bursts) {
    std::vector<Packet> alone;
    std::vector<Packet> together;
    for (uint64_t second = 0; second < 500; second += 31) {
        alone.push_back(datagram_of(second));
        together.push_back(datagram_of(second));
        together.push_back(client_at(second).udp(static_cast<uint16_t>(7000 + second), 53).build());
    }
    const Metered one = meter(alone, {}, 1);
    std::vector<std::string> expected;
    for (const proto::FlowSummary& record : one.records) {
        expected.push_back(record.SerializeAsString());
    }
    std::vector<std::string> found;
    for (const proto::FlowSummary& record : meter(together).records) {
        if (record.initiator_port() == 5000) {
            found.push_back(record.SerializeAsString());
        }
    }
    CHECK(expected == found);
    CHECK_EQUAL(2u, expected.size());
}

TEST(FlowMeter, a_flow_silent_for_its_timeout_at_the_end_was_idle) {
    for (const size_t workers : {size_t{1}, size_t{3}}) {
        DispatcherConfig config;
        config.workers = workers;
        const Metered metered = meter(
            {datagram_of(0), client_at(40).udp(1, 2).build(), client_at(61).udp(1, 2).build()},
            config);
        CHECK_EQUAL(2u, metered.records.size());
        CHECK_EQUAL(proto::FLOW_END_REASON_IDLE_TIMEOUT, metered.records[0].flow_end_reason());
        CHECK_EQUAL(proto::FLOW_END_REASON_FORCED_END, metered.records[1].flow_end_reason());
    }
}

TEST(FlowMeter, how_a_flow_ends_does_not_depend_on_the_hash) {
    std::vector<Packet> packets;
    for (uint64_t second = 0; second < 300; second += 7) {
        packets.push_back(client_at(second).udp(static_cast<uint16_t>(second % 31), 53).build());
    }
    std::set<std::string> results;
    for (uint8_t key = 0; key < 8; ++key) {
        DispatcherConfig config;
        config.hash_key.fill(key);
        std::string all;
        for (const proto::FlowSummary& record : meter(packets, config).records) {
            all += record.SerializeAsString();
        }
        results.insert(all);
    }
    CHECK_EQUAL(1u, results.size());
}

// Two interfaces of one capture whose clocks differ, and a capture that goes back: neither ends
// what goes on, whichever partition its flows share with others.
TEST(FlowMeter, clocks_that_differ_end_nobodys_flow) {
    for (const uint64_t apart : {uint64_t{2}, uint64_t{70}, uint64_t{3600}}) {
        for (const bool slow_first : {false, true}) {
            std::set<std::string> results;
            for (uint8_t key = 0; key < 2; ++key) {
                std::vector<Packet> packets;
                for (uint64_t second = 4000; second < 4030; ++second) {
                    for (uint16_t port = 1; port <= 8; ++port) {
                        packets.push_back(client_at(second - (slow_first ? apart : 0))
                                              .udp(port, slow_first ? 99 : 53)
                                              .build());
                    }
                    for (uint16_t port = 1; port <= 8; ++port) {
                        packets.push_back(client_at(second - (slow_first ? 0 : apart))
                                              .udp(port, slow_first ? 53 : 99)
                                              .build());
                    }
                }
                DispatcherConfig config;
                config.hash_key.fill(key);
                const Metered metered = meter(packets, config);
                CHECK_EQUAL(16u, metered.records.size());
                std::string all;
                for (const proto::FlowSummary& record : metered.records) {
                    all += record.SerializeAsString();
                }
                results.insert(all);
            }
            CHECK_EQUAL(1u, results.size());
        }
    }
}

// Late by more than the margin: whether its flow was over is decided without looking at others'
// packets of the same partition.
TEST(FlowMeter, what_comes_late_is_cut_alike_whatever_the_hash) {
    std::vector<Packet> packets;
    for (uint16_t port = 1; port <= 50; ++port) {
        packets.push_back(client_at(0).udp(port, 53).build());
    }
    packets.push_back(client_at(40).udp(1, 99).build());
    packets.push_back(client_at(66).udp(1, 99).build());
    for (uint16_t port = 1; port <= 50; ++port) {
        packets.push_back(client_at(58).udp(port, 53).build());
    }
    for (uint8_t key = 0; key < 8; ++key) {
        DispatcherConfig config;
        config.hash_key.fill(key);
        CHECK_EQUAL(101u, meter(packets, config).records.size());
    }
}

TEST(FlowMeter, one_wrong_stamp_ends_nobody_elses_flow) {
    DispatcherConfig config;
    std::vector<Packet> packets;
    for (uint16_t port = 1; port <= 200; ++port) {
        packets.push_back(client_at(0).udp(port, 53).build());
    }
    packets.push_back(client_at(86'400).udp(999, 53).build());
    for (uint16_t port = 1; port <= 200; ++port) {
        packets.push_back(client_at(1).udp(port, 53).build());
    }
    CHECK_EQUAL(201u, meter(packets, config).records.size());
}

TEST(FlowMeter, nor_does_it_say_that_flows_were_silent_at_the_end) {
    Packet arp = PacketBuilder{}.ethernet().ethertype(0x0806).build();
    arp.time_ns = kMeterStart + 86'400 * kSecond;
    for (const size_t workers : {1u, 3u}) {
        DispatcherConfig config;
        config.workers = workers;
        Metered metered = meter({datagram_of(0), arp, datagram_of(1)}, config);
        CHECK_EQUAL(1u, metered.records.size());
        CHECK_EQUAL(proto::FLOW_END_REASON_FORCED_END, metered.records[0].flow_end_reason());
        // The last packet of all may have come so late.
        metered = meter({datagram_of(0), arp}, config);
        CHECK_EQUAL(proto::FLOW_END_REASON_IDLE_TIMEOUT, metered.records[0].flow_end_reason());
    }
}

TEST(FlowMeter, an_ip_length_that_lies_is_told) {
    const Metered metered =
        meter({client_at(0).length(65'535).udp(5000, 6000).payload("12345").build()});
    CHECK_EQUAL(proto::QUALITY_MALFORMED | proto::QUALITY_ONE_WAY,
                static_cast<int>(metered.records[0].quality()));
    CHECK_EQUAL(33u, metered.records[0].forward().octets());
}

TEST(FlowMeter, both_fins_end_a_tcp_flow) {
    const Metered metered = meter({segment_at(0, "S"),
                                   answer_at(0, "SA"),
                                   segment_at(0, "A"),
                                   segment_at(1, "FA"),
                                   answer_at(1, "FA"),
                                   segment_at(1, "A"),
                                   datagram_of(20)});
    CHECK_EQUAL(2u, metered.records.size());
    const proto::FlowSummary& record = metered.records[0];
    CHECK_EQUAL(proto::FLOW_END_REASON_END_OF_FLOW, record.flow_end_reason());
    CHECK_EQUAL(4u, record.forward().packets());
    CHECK_EQUAL(static_cast<uint32_t>(proto::QUALITY_BEGIN_SEEN | proto::QUALITY_END_SEEN),
                record.quality());
    CHECK_EQUAL(0x13u, record.forward().tcp_control_bits());
}

TEST(FlowMeter, without_a_timeout_of_its_own_a_closed_flow_has_that_of_others) {
    DispatcherConfig config;
    config.worker.meter.timeouts.closed_ns = 0;
    config.worker.meter.timeouts.active_ns = 0;
    const auto records = [&](uint64_t second) {
        return meter({segment_at(0, "FA"), answer_at(1, "FA"), segment_at(second, "A")}, config)
            .records.size();
    };
    CHECK_EQUAL(1u, records(300));
    CHECK_EQUAL(2u, records(302));
}

TEST(FlowMeter, a_syn_after_the_end_is_another_flow) {
    const Metered metered = meter({segment_at(0, "S"),
                                   answer_at(0, "RA"),
                                   segment_at(1, "S"),
                                   answer_at(1, "SA"),
                                   segment_at(1, "A")});
    CHECK_EQUAL(2u, metered.records.size());
    CHECK_EQUAL(proto::FLOW_END_REASON_END_OF_FLOW, metered.records[0].flow_end_reason());
    CHECK_EQUAL(2u, metered.records[1].forward().packets());
}

// Ports that are used again before an end was seen: with details or without.
TEST(FlowMeter, a_syn_with_another_number_is_another_flow_once_the_first_got_on) {
    const auto numbered = [](uint64_t second, std::string_view flags, uint32_t sequence) {
        return client_at(second).tcp(40000, 80).flags(flags).sequence(sequence).build();
    };
    for (const bool details : {false, true}) {
        DispatcherConfig config;
        config.worker.meter.details = details;
        // One side alone, which sent something; its FIN closes nothing.
        const std::vector<Packet> one_way{
            numbered(0, "S", 100),
            client_at(0).tcp(40000, 80).flags("PA").sequence(101).payload("abc").build(),
            numbered(1, "FA", 104),
            numbered(2, "S", 90'000),
            numbered(2, "S", 90'000),
            numbered(2, "A", 90'001)};
        const Metered metered = meter(one_way, config);
        CHECK_EQUAL(2u, metered.records.size());
        CHECK_EQUAL(proto::FLOW_END_REASON_END_OF_FLOW, metered.records[0].flow_end_reason());
        CHECK_EQUAL(3u, metered.records[1].forward().packets());
        // Answered.
        CHECK_EQUAL(2u,
                    meter({numbered(0, "S", 100), answer_at(0, "SA"), numbered(1, "S", 7)}, config)
                        .records.size());
        // Tried again, and again with another number, as scanners do.
        CHECK_EQUAL(
            1u,
            meter({numbered(0, "S", 100), numbered(1, "S", 100), numbered(2, "S", 7)}, config)
                .records.size());
    }
}

// What earlier records of a flow have seen is known to its later ones.
TEST(FlowMeter, a_syn_with_another_number_belongs_to_a_flow_that_never_got_on) {
    const auto syn = [](uint64_t second, uint32_t sequence) {
        return client_at(second).tcp(40000, 80).flags("S").sequence(sequence).build();
    };
    DispatcherConfig config;
    config.worker.meter.timeouts.active_ns = kSecond;
    const auto flows = [&](const std::vector<Packet>& packets) {
        return meter(packets, config).ledger.flows.flows_created;
    };
    CHECK_EQUAL(1u, flows({syn(0, 100), syn(2, 7), syn(4, 9), syn(6, 9)}));
    CHECK_EQUAL(2u, flows({syn(0, 100), answer_at(0, "SA"), syn(2, 7), syn(4, 7)}));
    const Packet data =
        client_at(0).tcp(40000, 80).flags("PA").sequence(101).payload("abc").build();
    // Who acknowledges was answered, by a line that shows one side alone.
    const Packet acknowledges = client_at(0).tcp(40000, 80).flags("A").sequence(101).build();
    CHECK_EQUAL(2u, flows({syn(0, 100), acknowledges, syn(2, 7), syn(4, 7)}));
    // In the record before the last one.
    CHECK_EQUAL(2u, flows({syn(0, 100), data, syn(2, 100), syn(4, 7)}));
}

TEST(FlowMeter, flows_of_one_key_in_one_microsecond_are_numbered) {
    const Metered metered = meter({segment_at(0, "S"), answer_at(0, "RA"), segment_at(0, "S")});
    CHECK_EQUAL(2u, metered.records.size());
    CHECK_EQUAL(0u, metered.records[0].flow_ordinal());
    CHECK_EQUAL(1u, metered.records[1].flow_ordinal());
}

TEST(FlowMeter, a_capture_that_comes_twice_gives_flows_of_two_numbers) {
    const Metered metered =
        meter({datagram_of(0), datagram_of(100), datagram_of(0), datagram_of(100)});
    CHECK_EQUAL(4u, metered.records.size());
    CHECK_EQUAL(0u, metered.records[0].flow_ordinal());
    CHECK_EQUAL(1u, metered.records[1].flow_ordinal());
}

TEST(FlowMeter, times_are_ordered_when_the_capture_is_not) {
    const Metered metered = meter({datagram_of(10), datagram_of(8), datagram_of(12)});
    CHECK_EQUAL(1u, metered.records.size());
    const proto::FlowSummary& record = metered.records[0];
    CHECK_EQUAL(kMeterStart + 8 * kSecond, record.flow_start_ns());
    CHECK_EQUAL(kMeterStart + 12 * kSecond, record.flow_end_ns());
    CHECK_EQUAL(3, record.packets().gap_ns_size());
    CHECK_EQUAL(0u, record.packets().gap_ns(0));
    CHECK_EQUAL(2 * kSecond, record.packets().gap_ns(1));
    CHECK_EQUAL(2 * kSecond, record.packets().gap_ns(2));
    CHECK((record.quality() & proto::QUALITY_TIME_REVERSED) != 0);
}

TEST(FlowMeter, a_full_table_evicts_and_says_so) {
    DispatcherConfig config;
    config.worker.flow_capacity = 1;  // the least a partition has
    std::vector<Packet> packets;
    for (uint32_t i = 0; i < 20'000; ++i) {
        packets.push_back(PacketBuilder{}
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .udp(static_cast<uint16_t>(i), static_cast<uint16_t>(i / 1000))
                              .time_ns(kMeterStart + i)
                              .build());
    }
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(20'000u, metered.flows.flows_created);
    CHECK_EQUAL(20'000u, metered.records.size());
    const auto evicted = static_cast<size_t>(FlowEndReason::lack_of_resources);
    const auto forced = static_cast<size_t>(FlowEndReason::forced_end);
    CHECK(metered.flows.records_by_reason[forced] <= 64u * 64u);
    CHECK_EQUAL(20'000u,
                metered.flows.records_by_reason[evicted] + metered.flows.records_by_reason[forced]);
}

TEST(FlowMeter, any_number_of_workers_gives_the_same_records_even_of_a_full_table) {
    std::vector<Packet> packets;
    for (uint32_t i = 0; i < 10'000; ++i) {
        packets.push_back(client_at(i / 500)
                              .udp(static_cast<uint16_t>(i * 7919 % 9001), 53)
                              .payload(std::string(1400, 'x'))
                              .build());
    }
    const auto octets = [&packets](size_t workers) {
        DispatcherConfig config;
        config.workers = workers;
        config.worker.flow_capacity = 1;
        const Metered metered = meter(packets, config);
        const auto evicted = static_cast<size_t>(FlowEndReason::lack_of_resources);
        CHECK(metered.flows.records_by_reason[evicted] > 1000);
        CHECK(metered.flows.list_shortages > 1000);
        std::string all;
        for (const proto::FlowSummary& record : metered.records) {
            all += record.SerializeAsString();
        }
        return all;
    };
    const std::string one = octets(1);
    CHECK(one == octets(2));
    CHECK(one == octets(4));
}

TEST(FlowMeter, icmp_is_one_flow_by_addresses_with_its_types_listed) {
    const Metered metered = meter({client_at(0).icmp(8).payload("x").build(),
                                   server_at(0).icmp(0).payload("x").build(),
                                   client_at(1).icmp(3, 3).build()});
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(3, metered.records[0].icmp_types_size());
    CHECK_EQUAL(std::string("\x08\x00", 2), metered.records[0].icmp_types(0));
    CHECK_EQUAL(std::string("\x03\x03", 2), metered.records[0].icmp_types(2));
}

TEST(FlowMeter, icmp_types_come_from_headers_that_were_seen) {
    const Metered metered =
        meter({client_at(0).fragment(7, 16, false).protocol(1).payload("rest").build(),
               client_at(1).icmp(8).build().captured(35),
               client_at(2).icmp(3, 1).build()});
    CHECK_EQUAL(1, metered.records[0].icmp_types_size());
    CHECK_EQUAL(std::string("\x03\x01"), metered.records[0].icmp_types(0));
}

TEST(FlowMeter, a_later_fragment_joins_its_first_ones_flow) {
    const Metered metered =
        meter({client_at(0).fragment(7, 0, true).udp(5000, 6000).payload("12345678").build(),
               client_at(0).fragment(7, 16, false).protocol(17).payload("abc").build()});
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(2u, metered.records[0].forward().packets());
    CHECK((metered.records[0].quality() & proto::QUALITY_FRAGMENTED) != 0);
}

TEST(FlowMeter, packets_that_are_not_ip_are_counted_apart) {
    const Metered metered = meter(
        {datagram_of(0), PacketBuilder{}.ethernet().ethertype(0x0806).payload("arp").build()});
    CHECK_EQUAL(1u, metered.packets.by_result[static_cast<size_t>(ParseResult::metered)]);
    CHECK_EQUAL(1u, metered.packets.by_result[static_cast<size_t>(ParseResult::not_ip)]);
    CHECK_EQUAL(1u, metered.flows.packets);
}

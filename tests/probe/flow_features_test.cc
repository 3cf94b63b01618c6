#include "probe/flow_features.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

PacketBuilder forward(uint64_t time_ns) {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(5000, 6000).time_ns(time_ns);
}

PacketBuilder reverse(uint64_t time_ns) {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.2", "10.0.0.1").udp(6000, 5000).time_ns(time_ns);
}

proto::FlowSummary features_of(const std::vector<Packet>& packets,
                               const DispatcherConfig& config = {}) {
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(1u, metered.records.size());
    return metered.records[0];
}

// Value and count of each octet that occurs, from a value and a varint each.
std::map<uint8_t, uint64_t> counts_of(const proto::FlowSummary& record) {
    std::map<uint8_t, uint64_t> counts;
    const std::string& octets = record.byte_counts();
    for (size_t at = 0; at < octets.size();) {
        uint64_t& count = counts[static_cast<uint8_t>(octets[at++])];
        int shift = 0;
        bool more = true;
        while (more) {
            const auto octet = static_cast<uint8_t>(octets.at(at++));
            count |= uint64_t{octet & 0x7fu} << shift;
            shift += 7;
            more = octet >= 0x80;
        }
    }
    return counts;
}

uint64_t total(const proto::FlowSummary& record) {
    uint64_t sum = 0;
    for (const auto& [value, count] : counts_of(record)) {
        sum += count;
    }
    return sum;
}

}  // namespace

TEST_GROUP(FlowFeatures){};

TEST(FlowFeatures, octets_are_counted_by_value_in_both_directions) {
    const proto::FlowSummary record =
        features_of({forward(0).payload("aab").build(), reverse(1).payload("b").build()});
    CHECK(record.byte_counts() == "a\2b\2");
    CHECK_EQUAL(4u, total(record));
}

TEST(FlowFeatures, counts_go_on_when_they_outgrow_one_octet) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 3; ++i) {
        packets.push_back(forward(i).payload(std::string(200, 'x')).build());
    }
    packets.push_back(forward(9).payload(std::string(1300, 'x') + "y").build());
    const proto::FlowSummary record = features_of(packets);
    CHECK(counts_of(record) == (std::map<uint8_t, uint64_t>{{'x', 1900}, {'y', 1}}));
}

TEST(FlowFeatures, counts_are_whole_at_the_edges_of_one_and_of_two_octets) {
    // The first payload brings a flow to the edge, the second over it or not.
    for (const size_t all : {255, 256, 257, 65535, 65536, 65537, 131073}) {
        for (const size_t first : {1, 200, 256, 9000}) {
            if (first >= all) {
                continue;
            }
            std::vector<Packet> packets;
            uint64_t time_ns = 0;
            for (size_t left = all; left > 0;) {
                const size_t octets = left == all ? first : std::min<size_t>(left, 9000);
                packets.push_back(forward(++time_ns).payload(std::string(octets, 'x')).build());
                left -= octets;
            }
            packets.push_back(forward(++time_ns).payload("y").build());
            const proto::FlowSummary record = features_of(packets);
            CHECK(counts_of(record) == (std::map<uint8_t, uint64_t>{{'x', all}, {'y', 1}}));
        }
    }
}

TEST(FlowFeatures, octets_are_counted_alike_in_payloads_of_every_length) {
    for (const size_t length :
         {1, 7, 8, 9, 127, 128, 129, 130, 131, 255, 256, 1023, 1024, 1031, 9000}) {
        std::string payload;
        std::map<uint8_t, uint64_t> expected;
        std::array<int64_t, 4> sums{};
        for (size_t i = 0; i < length; ++i) {
            const auto octet = static_cast<uint8_t>(255 - i * i % 11);
            payload.push_back(static_cast<char>(octet));
            ++expected[octet];
            sums[i % 4] += octet;
        }
        const proto::FlowSummary record = features_of({forward(0).payload(payload).build()});
        CHECK(counts_of(record) == expected);
        CHECK_EQUAL(sums[0] + sums[1] + sums[2] + sums[3], record.walsh_sums(0));
        CHECK_EQUAL(sums[0] - sums[1] + sums[2] - sums[3], record.walsh_sums(1));
        CHECK_EQUAL(sums[0] + sums[1] - sums[2] - sums[3], record.walsh_sums(2));
    }
}

TEST(FlowFeatures, padding_is_not_payload) {
    const proto::FlowSummary record = features_of({forward(0).payload("a").padding(17).build()});
    CHECK_EQUAL(1u, total(record));
    CHECK_EQUAL(60u, record.forward().frame_octets());
}

TEST(FlowFeatures, walsh_sums_pad_the_last_group_with_zeros) {
    // Groups (1, 2, 3, 4) and (5, 0, 0, 0).
    const proto::FlowSummary record = features_of({forward(0).payload({1, 2, 3, 4, 5}).build()});
    CHECK_EQUAL(4, record.walsh_sums_size());
    CHECK_EQUAL(15, record.walsh_sums(0));
    CHECK_EQUAL(3, record.walsh_sums(1));  // 1 - 2 + 3 - 4 + 5
    CHECK_EQUAL(1, record.walsh_sums(2));  // 1 + 2 - 3 - 4 + 5
    CHECK_EQUAL(5, record.walsh_sums(3));  // 1 - 2 - 3 + 4 + 5
}

TEST(FlowFeatures, only_packets_with_payload_are_listed_fifty_per_direction) {
    std::vector<Packet> packets{forward(0).build()};
    for (uint64_t i = 1; i <= 60; ++i) {
        packets.push_back(forward(i * 10).payload("abc").build());
        packets.push_back(reverse(i * 10 + 1).payload("d").build());
    }
    const proto::FlowSummary record = features_of(packets);
    CHECK_EQUAL(100, record.packets().gap_ns_size());
    CHECK_EQUAL(10u, record.packets().gap_ns(0));
    CHECK_EQUAL(1u, record.packets().gap_ns(1));
    CHECK_EQUAL(9u, record.packets().gap_ns(2));
    CHECK_EQUAL(3u, record.packets().payload_octets(0));
    CHECK_EQUAL(0u, record.packets().flags(0));
    CHECK_EQUAL(1u, record.packets().flags(1));
    CHECK((record.quality() & proto::QUALITY_LIST_CUT) != 0);
    CHECK_EQUAL(61u, record.forward().packets());
    CHECK_EQUAL(50, record.forward().ip_ids_size());
}

TEST(FlowFeatures, a_list_takes_as_many_packets_of_each_direction_as_it_is_told) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 600; ++i) {
        packets.push_back(forward(2 * i).payload("abc").build());
        packets.push_back(reverse(2 * i + 1).payload("d").build());
    }
    for (const uint16_t bound : {uint16_t{0}, uint16_t{3}, uint16_t{512}}) {
        DispatcherConfig config;
        config.worker.meter.list.packets = bound;
        const proto::FlowSummary record = features_of(packets, config);
        CHECK_EQUAL(2 * bound, record.packets().gap_ns_size());
        // What was not asked for is not missed.
        CHECK_EQUAL(bound != 0, (record.quality() & proto::QUALITY_LIST_CUT) != 0);
        CHECK_EQUAL(50, record.forward().ip_ids_size());
    }
}

TEST(FlowFeatures, all_packets_can_be_listed_with_their_flags) {
    const auto client = [](uint64_t time_ns) {
        return PacketBuilder{}
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.2")
            .time_ns(time_ns)
            .tcp(40000, 80);
    };
    const std::vector<Packet> packets{client(5).flags("S").build(),
                                      PacketBuilder{}
                                          .ethernet()
                                          .ipv4("10.0.0.2", "10.0.0.1")
                                          .time_ns(7)
                                          .tcp(80, 40000)
                                          .flags("SA")
                                          .build(),
                                      client(8).flags("PA").payload("abc").build()};
    DispatcherConfig config;
    config.worker.meter.list.all = true;
    const proto::PacketList all = features_of(packets, config).packets();
    CHECK_EQUAL(3, all.gap_ns_size());
    CHECK_EQUAL(0u, all.gap_ns(0));
    CHECK_EQUAL(2u, all.gap_ns(1));
    CHECK_EQUAL(0u, all.payload_octets(1));
    CHECK_EQUAL(1u, all.flags(1));
    CHECK_EQUAL(3u, all.payload_octets(2));
    CHECK_EQUAL(3, all.control_bits_size());
    CHECK_EQUAL(0x02u, all.control_bits(0));
    CHECK_EQUAL(0x12u, all.control_bits(1));
    CHECK_EQUAL(0x18u, all.control_bits(2));
    CHECK_EQUAL(0, features_of(packets).packets().control_bits_size());
    CHECK_EQUAL(1, features_of(packets).packets().gap_ns_size());
    CHECK_EQUAL(0, features_of({forward(0).build()}, config).packets().control_bits_size());
    CHECK_EQUAL(1, features_of({forward(0).build()}, config).packets().gap_ns_size());
}

TEST(FlowFeatures, a_retransmission_counts_its_payload_and_no_header) {
    const Packet segment = PacketBuilder{}
                               .ethernet()
                               .ipv4("10.0.0.1", "10.0.0.2")
                               .tcp(40000, 80)
                               .sequence(100)
                               .payload("abc")
                               .build();
    const proto::FlowSummary record = features_of({segment, segment});
    CHECK_EQUAL(6u, record.forward().payload_octets());
    CHECK_EQUAL(3u, record.packets().payload_octets(1));
    CHECK(record.byte_counts() == "a\2b\2c\2");
}

TEST(FlowFeatures, ip_ids_are_listed_in_order_of_arrival) {
    const proto::FlowSummary record = features_of(
        {PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").ip_id(9).udp(5000, 6000).build(),
         PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").ip_id(4).udp(5000, 6000).build()});
    CHECK_EQUAL(2, record.forward().ip_ids_size());
    CHECK_EQUAL(9u, record.forward().ip_ids(0));
    CHECK_EQUAL(4u, record.forward().ip_ids(1));
}

TEST(FlowFeatures, the_first_packet_with_payload_is_kept_from_its_ip_header_on) {
    const proto::FlowSummary record = features_of({forward(0).build(),
                                                   forward(1).payload("first").build(),
                                                   forward(2).payload("second").build()});
    const std::string& first = record.forward().first_packet();
    CHECK_EQUAL(33u, first.size());
    CHECK_EQUAL(0x45, first[0]);
    CHECK_EQUAL(28u, record.forward().first_payload_offset());
    STRCMP_EQUAL("first", first.substr(28).c_str());
}

TEST(FlowFeatures, a_long_first_packet_is_kept_to_its_bound) {
    const proto::FlowSummary record =
        features_of({forward(0).payload(std::string(1400, 'z')).build()});
    CHECK_EQUAL(1300u, record.forward().first_packet().size());
}

TEST(FlowFeatures, the_first_syn_begins_and_the_last_one_has_the_options) {
    const Octets mss = from_hex("02 04 05 b4");
    const auto tcp = [](std::string_view flags) {
        return PacketBuilder{}
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.2")
            .tcp(40000, 80)
            .flags(flags)
            .sequence(1000)
            .window(512);
    };
    const proto::FlowSummary record =
        features_of({tcp("S").build(), tcp("SEC").sequence(7).options(mss).time_ns(1).build()});
    const proto::TcpStart& start = record.forward().tcp_start();
    CHECK_EQUAL(2u, start.syn_control_bits());
    CHECK_EQUAL(1000u, start.sequence_number());
    CHECK_EQUAL(512u, start.window_size());
    CHECK(std::string("\x02\x04\x05\xb4", 4) == start.options());
    // A short snapshot cuts options: what was kept of them counts, and all before.
    const Packet whole = tcp("S").options(from_hex("02 04 05 b4 04 02 01 01")).build();
    constexpr size_t kUpToOptions = 14 + 20 + 20;
    for (const size_t kept : {size_t{0}, size_t{4}}) {
        const proto::FlowSummary cut = features_of({whole.captured(kUpToOptions + kept)});
        CHECK_EQUAL(1000u, cut.forward().tcp_start().sequence_number());
        CHECK_EQUAL(512u, cut.forward().tcp_start().window_size());
        CHECK(std::string("\x02\x04\x05\xb4", kept) == cut.forward().tcp_start().options());
    }
    // Without the window nothing is known of it.
    CHECK_FALSE(features_of({whole.captured(kUpToOptions - 5)}).forward().has_tcp_start());
    CHECK_FALSE(features_of({tcp("SF").build()}).forward().has_tcp_start());
    CHECK_FALSE(features_of({tcp("A").build()}).forward().has_tcp_start());
}

TEST(FlowFeatures, an_empty_pool_cuts_lists_between_entries_and_is_counted) {
    // One partition has 512 blocks and none is given back: each flow names sixteen long names.
    DispatcherConfig config;
    config.worker.flow_capacity = 1;
    std::vector<Packet> packets;
    for (uint32_t flow = 0; flow < 4000; ++flow) {
        for (uint8_t i = 0; i < 4; ++i) {
            packets.push_back(PacketBuilder{}
                                  .ethernet()
                                  .ipv4("10.0.0.1", "10.0.0.2")
                                  .udp(static_cast<uint16_t>(flow), 6000)
                                  .payload(std::string(1200, static_cast<char>('a' + i)))
                                  .time_ns(flow * 10 + i)
                                  .build());
        }
    }
    const Metered metered = meter(packets, config);
    CHECK(metered.flows.list_shortages > 0);
    for (const proto::FlowSummary& record : metered.records) {
        CHECK(record.flow_start_ns() < 40'000);
        for (int i = 0; i < record.packets().gap_ns_size(); ++i) {
            CHECK_EQUAL(1200u, record.packets().payload_octets(i));
            CHECK(record.packets().gap_ns(i) <= 1);
        }
    }
}

TEST(FlowFeatures, each_record_of_a_flow_begins_its_lists_anew) {
    constexpr uint64_t kSecond = 1'000'000'000;
    std::vector<Packet> packets;
    for (uint64_t second = 0; second < 320; second += 40) {
        packets.push_back(forward(second * kSecond).payload("ab").build());
    }
    packets.push_back(forward(340 * kSecond).payload("ab").build());
    const Metered metered = meter(packets);
    CHECK_EQUAL(2u, metered.records.size());
    CHECK_EQUAL(8, metered.records[0].packets().gap_ns_size());
    CHECK_EQUAL(1, metered.records[1].packets().gap_ns_size());
    CHECK_EQUAL(0u, metered.records[1].packets().gap_ns(0));
    CHECK_EQUAL(2u, total(metered.records[1]));
}

TEST(FlowFeatures, without_details_the_counters_stay) {
    DispatcherConfig config;
    config.worker.meter.details = false;
    const proto::FlowSummary record = features_of({forward(0).payload("abc").build()}, config);
    CHECK_EQUAL(3u, record.forward().payload_octets());
    CHECK(record.byte_counts().empty());
    CHECK_EQUAL(0, record.packets().gap_ns_size());
}

TEST(FlowFeatures, blocks_come_back_when_records_end) {
    // 1,000 times as many flows as one partition has blocks for, one after the other.
    DispatcherConfig config;
    config.worker.flow_capacity = 1;
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 3000; ++i) {
        packets.push_back(forward(i * 100'000'000'000).payload(std::string(600, 'q')).build());
    }
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(3000u, metered.records.size());
    for (const proto::FlowSummary& record : metered.records) {
        CHECK_EQUAL(600u, total(record));
        CHECK_EQUAL(1, record.packets().gap_ns_size());
    }
}

#include "probe/flow_statistics.h"

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "tests/probe/tcp_sides.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

Packet sized_datagram(uint64_t time_ns, size_t payload) {
    return from_client(time_ns).udp(5000, 6000).payload(std::string(payload, 'x')).build();
}

std::array<uint32_t, 8> bins(std::initializer_list<uint32_t> first) {
    std::array<uint32_t, 8> all{};
    std::copy(first.begin(), first.end(), all.begin());
    return all;
}

proto::FlowSummary statistics_of(const std::vector<Packet>& packets) {
    const Metered metered = meter(packets);
    CHECK_EQUAL(1u, metered.records.size());
    return metered.records[0];
}

// Retransmissions, segments out of order.
std::string told(const std::vector<Packet>& packets) {
    const Sides sides(packets);
    return std::to_string(sides.client().retransmissions) + " again, " +
           std::to_string(sides.client().out_of_order) + " late";
}

}  // namespace

TEST_GROUP(FlowStatistics){};

TEST(FlowStatistics, bins_begin_at_powers_of_two_from_sixteen) {
    const std::vector<std::pair<uint64_t, size_t>> expected{{0, 0},
                                                            {15, 0},
                                                            {16, 1},
                                                            {31, 1},
                                                            {32, 2},
                                                            {63, 2},
                                                            {64, 3},
                                                            {127, 3},
                                                            {128, 4},
                                                            {255, 4},
                                                            {256, 5},
                                                            {511, 5},
                                                            {512, 6},
                                                            {1023, 6},
                                                            {1024, 7},
                                                            {1025, 7},
                                                            {65535, 7},
                                                            {~uint64_t{0}, 7}};
    for (const auto& [value, bin] : expected) {
        CHECK_EQUAL(bin, spread_bin(value));
    }
}

TEST(FlowStatistics, payload_and_frames_are_summed_over_all_packets) {
    const Sides sides({sized_datagram(0, 0), sized_datagram(1, 100), sized_datagram(2, 20)});
    const auto& payload = sides.client().payload;
    CHECK_EQUAL(0u, payload.minimum);
    CHECK_EQUAL(100u, payload.maximum);
    CHECK_EQUAL(120u, payload.sum);
    CHECK_EQUAL(10'400u, payload.squares.low);
    CHECK_EQUAL(0u, payload.squares.high);
    CHECK(bins({1, 1, 0, 1}) == payload.bins);
    const auto& frame = sides.client().frame;  // 42 octets of headers
    CHECK_EQUAL(42u, frame.minimum);
    CHECK_EQUAL(142u, frame.maximum);
    CHECK_EQUAL(246u, frame.sum);
    CHECK_EQUAL(25'772u, frame.squares.low);
    CHECK(bins({0, 0, 2, 0, 1}) == frame.bins);
    CHECK_EQUAL(3u, sides.client().packets);
    CHECK_EQUAL(0u, sides.server().packets);
}

TEST(FlowStatistics, gaps_are_those_within_a_direction) {
    const Sides sides({sized_datagram(0, 1),
                       from_server(5 * kMillisecond).udp(6000, 5000).build(),
                       sized_datagram(20 * kMillisecond, 1),
                       sized_datagram(20 * kMillisecond + 7, 1)});
    const auto& gap = sides.client().gap;
    CHECK_EQUAL(7u, gap.minimum);
    CHECK_EQUAL(20'000'000u, gap.maximum);
    CHECK_EQUAL(20'000'007u, gap.sum);
    CHECK_EQUAL(400'000'000'000'049u, gap.squares.low);
    CHECK(bins({1, 1}) == gap.bins);
    CHECK_EQUAL(0u, sides.server().gap.sum);
    CHECK(bins({}) == sides.server().gap.bins);
}

TEST(FlowStatistics, bins_of_gaps_are_whole_milliseconds) {
    const Sides sides({sized_datagram(0, 1), sized_datagram(16 * kMillisecond - 1, 1)});
    CHECK(bins({1}) == sides.client().gap.bins);
    const Sides others({sized_datagram(0, 1), sized_datagram(1024 * kMillisecond, 1)});
    CHECK(bins({0, 0, 0, 0, 0, 0, 0, 1}) == others.client().gap.bins);
}

TEST(FlowStatistics, a_packet_stamped_earlier_has_no_gap) {
    const Sides sides({sized_datagram(10, 1), sized_datagram(4, 1), sized_datagram(9, 1)});
    CHECK_EQUAL(0u, sides.client().gap.minimum);
    CHECK_EQUAL(0u, sides.client().gap.maximum);
    CHECK_EQUAL(0u, sides.client().gap.sum);
    CHECK(bins({2}) == sides.client().gap.bins);
    // All gaps together are as long as the record.
    const Sides others(
        {sized_datagram(0, 1), sized_datagram(10, 1), sized_datagram(5, 1), sized_datagram(12, 1)});
    CHECK_EQUAL(12u, others.client().gap.sum);
}

TEST(FlowStatistics, squares_carry_into_their_upper_half) {
    // 5,000,000,000^2 is 2^64 + 6553255926290448384.
    const Sides sides({sized_datagram(0, 1), sized_datagram(5 * kSecond, 1)});
    CHECK_EQUAL(1u, sides.client().gap.squares.high);
    CHECK_EQUAL(6'553'255'926'290'448'384u, sides.client().gap.squares.low);
}

TEST(FlowStatistics, sums_of_gaps_stay_in_range_whatever_the_stamps_are) {
    const uint64_t end = ~uint64_t{0};
    const Sides sides({sized_datagram(0, 1),
                       sized_datagram(end, 1),
                       sized_datagram(0, 1),
                       sized_datagram(end, 1)});
    CHECK_EQUAL(end, sides.client().gap.sum);
    CHECK_EQUAL(end - 1, sides.client().gap.squares.high);
    CHECK_EQUAL(1u, sides.client().gap.squares.low);
    CHECK_EQUAL(0u, sides.client().gap.minimum);
}

TEST(FlowStatistics, three_packets_with_payload_within_a_second_each_are_a_burst) {
    CHECK_EQUAL(0u, Sides({sized_datagram(0, 1), sized_datagram(kSecond, 1)}).client().bursts);
    CHECK_EQUAL(
        1u,
        Sides({sized_datagram(0, 1), sized_datagram(kSecond, 1), sized_datagram(2 * kSecond, 1)})
            .client()
            .bursts);
    CHECK_EQUAL(
        0u,
        Sides(
            {sized_datagram(0, 1), sized_datagram(kSecond, 1), sized_datagram(2 * kSecond + 1, 1)})
            .client()
            .bursts);
}

TEST(FlowStatistics, a_long_burst_is_one_and_a_pause_begins_another) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 400; ++i) {
        packets.push_back(sized_datagram(i * kMillisecond, 1));
    }
    CHECK_EQUAL(1u, Sides(packets).client().bursts);
    for (uint64_t i = 0; i < 3; ++i) {
        packets.push_back(sized_datagram(5 * kSecond + i, 1));
    }
    CHECK_EQUAL(2u, Sides(packets).client().bursts);
}

TEST(FlowStatistics, packets_without_payload_do_not_make_or_break_a_burst) {
    CHECK_EQUAL(1u,
                Sides({sized_datagram(0, 1),
                       sized_datagram(1, 0),
                       sized_datagram(2, 1),
                       sized_datagram(3, 0),
                       sized_datagram(4, 1)})
                    .client()
                    .bursts);
    CHECK_EQUAL(0u,
                Sides({sized_datagram(0, 1),
                       sized_datagram(1, 0),
                       sized_datagram(2, 0),
                       sized_datagram(3, 1)})
                    .client()
                    .bursts);
}

TEST(FlowStatistics, a_segment_that_was_seen_whole_is_a_retransmission) {
    STRCMP_EQUAL("0 again, 0 late", told({segment(100, 10), segment(110, 10)}).c_str());
    STRCMP_EQUAL("1 again, 0 late",
                 told({segment(100, 10), segment(110, 10), segment(110, 10)}).c_str());
    STRCMP_EQUAL("1 again, 0 late",
                 told({segment(100, 10), segment(110, 10), segment(103, 2)}).c_str());
    // Half of it is new.
    STRCMP_EQUAL("0 again, 0 late", told({segment(100, 10), segment(105, 10)}).c_str());
}

TEST(FlowStatistics, syn_and_fin_have_a_sequence_number_of_their_own) {
    STRCMP_EQUAL("1 again, 0 late", told({segment(99, 0, "S"), segment(99, 0, "S")}).c_str());
    STRCMP_EQUAL("0 again, 0 late", told({segment(99, 0, "S"), segment(100, 4)}).c_str());
    STRCMP_EQUAL("1 again, 0 late",
                 told({segment(100, 4), segment(104, 0, "FA"), segment(104, 0, "FA")}).c_str());
    STRCMP_EQUAL("0 again, 0 late",
                 told({segment(100, 4), segment(100, 0), segment(99, 0)}).c_str());
}

TEST(FlowStatistics, a_segment_that_fills_a_hole_is_out_of_order) {
    STRCMP_EQUAL("0 again, 1 late",
                 told({segment(100, 10), segment(120, 10), segment(110, 10)}).c_str());
    // The hole is filled then.
    STRCMP_EQUAL(
        "1 again, 1 late",
        told({segment(100, 10), segment(120, 10), segment(110, 10), segment(110, 10)}).c_str());
    // From its end, from its begin, within.
    STRCMP_EQUAL("1 again, 3 late",
                 told({segment(100, 10),
                       segment(150, 10),
                       segment(140, 10),
                       segment(110, 10),
                       segment(125, 5),
                       segment(125, 5)})
                     .c_str());
    // Three holes at once.
    STRCMP_EQUAL("1 again, 1 late",
                 told({segment(100, 1),
                       segment(110, 1),
                       segment(120, 1),
                       segment(130, 1),
                       segment(105, 30),
                       segment(115, 10)})
                     .c_str());
}

TEST(FlowStatistics, of_fragments_nobody_can_tell_what_was_not_seen) {
    Packet fragment = segment(100, 10);
    CHECK(tells_unseen(Sides({fragment, answer(130)}).client()));
    // More fragments: RFC 791 section 3.1.
    fragment.octets[14 + 6] |= 0x20;
    CHECK_FALSE(tells_unseen(Sides({fragment, answer(130)}).client()));
    CHECK_FALSE(tells_unseen(Sides({fragment, segment(5'000'000, 10)}).client()));
}

TEST(FlowStatistics, what_came_before_the_first_segment_seen_is_out_of_order) {
    STRCMP_EQUAL("0 again, 1 late", told({segment(100, 10), segment(90, 10)}).c_str());
    STRCMP_EQUAL("0 again, 2 late",
                 told({segment(100, 10), segment(80, 10), segment(90, 10)}).c_str());
    STRCMP_EQUAL("0 again, 1 late", told({segment(100, 10), segment(99, 0, "S")}).c_str());
}

TEST(FlowStatistics, sequence_numbers_wrap) {
    STRCMP_EQUAL("1 again, 1 late",
                 told({segment(0xfffffff0, 10),
                       segment(4, 10),
                       segment(0xfffffffa, 10),
                       segment(0xfffffff8, 16)})
                     .c_str());
}

TEST(FlowStatistics, more_than_four_gigabytes_are_followed) {
    std::vector<Packet> packets;
    uint32_t sequence = 7;
    for (int i = 0; i < 8'000; ++i) {
        packets.push_back(segment(sequence, 60));
        sequence += i % 100 == 99 ? 80'000'000 : 60;  // most of it not captured
    }
    packets.push_back(packets.back());
    STRCMP_EQUAL("1 again, 0 late", told(packets).c_str());
}

// By a way that nobody showed us, or damaged: neither is early or late.
TEST(FlowStatistics, numbers_that_are_too_far_begin_anew) {
    for (const uint32_t jump : {2'500'000'000u, 1'200'000'000u, 3'000'000'000u}) {
        STRCMP_EQUAL("1 again, 0 late",
                     told({segment(100, 10),
                           segment(110 + jump, 10),
                           segment(120 + jump, 10),
                           segment(120 + jump, 10)})
                         .c_str());
    }
}

TEST(FlowStatistics, a_connection_of_the_same_ports_begins_anew) {
    STRCMP_EQUAL("0 again, 0 late",
                 told({segment(5'000, 10), segment(900, 0, "S"), segment(901, 10)}).c_str());
}

TEST(FlowStatistics, holes_beyond_the_bound_push_the_oldest_out) {
    std::vector<Packet> packets;
    for (uint32_t i = 0; i < 15; ++i) {
        packets.push_back(segment(100 + 20 * i, 10));
    }
    packets.push_back(segment(110, 10));  // the oldest of 14
    STRCMP_EQUAL("1 again, 0 late", told(packets).c_str());
    packets.back() = segment(130, 10);
    STRCMP_EQUAL("0 again, 1 late", told(packets).c_str());
}

TEST(FlowStatistics, a_reset_occupies_no_sequence_numbers) {
    STRCMP_EQUAL("0 again, 0 late", told({segment(100, 10), segment(100, 10, "R")}).c_str());
    STRCMP_EQUAL("0 again, 0 late",
                 told({segment(100, 10), segment(500, 10, "RA"), segment(110, 10), segment(120, 1)})
                     .c_str());
}

TEST(FlowStatistics, the_window_is_zero_but_for_syn_and_reset) {
    const auto packet = [](std::string_view flags, uint16_t window) {
        return from_client(0).tcp(40000, 80).flags(flags).window(window).build();
    };
    const Sides sides({packet("S", 0),
                       packet("A", 1),
                       packet("A", 0),
                       packet("R", 0),
                       packet("RA", 0),
                       packet("FA", 0)});
    CHECK_EQUAL(2u, sides.client().zero_windows);
}

TEST(FlowStatistics, headers_that_were_not_captured_or_lie_count_nothing) {
    const Packet data = from_client(0).tcp(40000, 80).sequence(100).window(0).payload("ab").build();
    // 14 + 20 + 15: the window's last octet is missing.
    const Sides cut({data.captured(49), data.captured(49)});
    CHECK_EQUAL(0u, cut.client().retransmissions);
    CHECK_EQUAL(0u, cut.client().zero_windows);
    CHECK_EQUAL(4u, cut.client().payload.sum);
    const Sides just_enough({data.captured(50), data.captured(50)});
    CHECK_EQUAL(1u, just_enough.client().retransmissions);
    CHECK_EQUAL(2u, just_enough.client().zero_windows);
    const Packet lying = from_client(0).tcp(40000, 80).window(0).header_octets(60).build();
    CHECK_EQUAL(0u, Sides({lying}).client().zero_windows);
    const Packet later =
        from_client(0).fragment(7, 16, false).protocol(6).payload(Octets(20, 0)).build();
    CHECK_EQUAL(0u, Sides({later}).client().zero_windows);
    CHECK_EQUAL(20u, Sides({later}).client().payload.sum);
}

TEST(FlowStatistics, a_handshake_tells_the_round_trips) {
    const proto::FlowSummary record = statistics_of(
        {from_client(0).tcp(40000, 80).flags("S").sequence(1).build(),
         from_server(30 * kMicrosecond).tcp(80, 40000).flags("SA").build(),
         from_client(37 * kMicrosecond).tcp(40000, 80).flags("A").sequence(2).build(),
         from_client(99 * kMicrosecond).tcp(40000, 80).flags("A").sequence(2).build()});
    CHECK_EQUAL(30'000u, record.rtt_in_ns());
    CHECK_EQUAL(7'000u, record.rtt_out_ns());
}

TEST(FlowStatistics, of_repeated_packets_of_a_handshake_the_last_before_the_answer_counts) {
    const proto::FlowSummary record =
        statistics_of({from_client(0).tcp(40000, 80).flags("S").build(),
                       from_client(kSecond).tcp(40000, 80).flags("S").build(),
                       from_server(kSecond + 3).tcp(80, 40000).flags("SA").build(),
                       from_server(kSecond + 10).tcp(80, 40000).flags("SA").build(),
                       from_client(kSecond + 14).tcp(40000, 80).flags("A").build(),
                       from_server(kSecond + 20).tcp(80, 40000).flags("SA").build(),
                       from_client(kSecond + 29).tcp(40000, 80).flags("A").build()});
    CHECK_EQUAL(3u, record.rtt_in_ns());
    CHECK_EQUAL(4u, record.rtt_out_ns());
}

TEST(FlowStatistics, what_was_not_seen_of_a_handshake_is_not_told) {
    const proto::FlowSummary middle =
        statistics_of({from_client(0).tcp(40000, 80).flags("A").build(),
                       from_server(9).tcp(80, 40000).flags("A").build()});
    CHECK_FALSE(middle.has_rtt_in_ns());
    CHECK_FALSE(middle.has_rtt_out_ns());
    const proto::FlowSummary without_syn =
        statistics_of({from_server(0).tcp(80, 40000).flags("SA").build(),
                       from_client(9).tcp(40000, 80).flags("A").build()});
    CHECK_FALSE(without_syn.has_rtt_in_ns());
    CHECK_EQUAL(9u, without_syn.rtt_out_ns());
    const proto::FlowSummary refused =
        statistics_of({from_client(0).tcp(40000, 80).flags("S").build(),
                       from_server(9).tcp(80, 40000).flags("RA").build()});
    CHECK_FALSE(refused.has_rtt_in_ns());
}

TEST(FlowStatistics, a_round_trip_is_never_negative) {
    const proto::FlowSummary record =
        statistics_of({from_client(50).tcp(40000, 80).flags("S").build(),
                       from_server(40).tcp(80, 40000).flags("SA").build(),
                       from_client(60).tcp(40000, 80).flags("A").build()});
    CHECK_FALSE(record.has_rtt_in_ns());
    CHECK_EQUAL(20u, record.rtt_out_ns());
}

TEST(FlowStatistics, sides_become_directions) {
    const proto::FlowSummary record =
        statistics_of({from_server(0).tcp(80, 40000).flags("S").build(),
                       from_client(1).tcp(40000, 80).flags("SA").build(),
                       from_server(3).tcp(80, 40000).flags("A").window(0).payload("abc").build()});
    CHECK_EQUAL(80u, record.initiator_port());
    const proto::Direction& out = record.forward();
    CHECK_EQUAL(2u, out.payload_spread().count());
    CHECK_EQUAL(0u, out.payload_spread().minimum());
    CHECK_EQUAL(3u, out.payload_spread().maximum());
    CHECK_EQUAL(9u, out.payload_spread().squares_low());
    CHECK_EQUAL(1u, out.gap_spread().count());
    CHECK_EQUAL(3u, out.gap_spread().sum());
    CHECK_EQUAL(8, out.gap_spread().histogram_size());
    CHECK_EQUAL(1u, out.tcp_statistics().zero_windows());
    CHECK_EQUAL(1u, record.reverse().frame_spread().count());
    CHECK_EQUAL(0u, record.reverse().gap_spread().count());
    CHECK_EQUAL(0u, record.reverse().gap_spread().minimum());
    CHECK_EQUAL(1u, record.rtt_in_ns());
    CHECK_EQUAL(2u, record.rtt_out_ns());
}

TEST(FlowStatistics, only_tcp_has_what_sequence_numbers_say) {
    const proto::FlowSummary record = statistics_of({sized_datagram(0, 1)});
    CHECK_TRUE(record.forward().has_payload_spread());
    CHECK_FALSE(record.forward().has_tcp_statistics());
    CHECK_FALSE(record.has_reverse());
}

TEST(FlowStatistics, each_record_of_a_flow_begins_anew) {
    std::vector<Packet> packets{from_client(0).tcp(40000, 80).flags("S").sequence(99).build(),
                                from_server(1).tcp(80, 40000).flags("SA").build(),
                                from_client(2).tcp(40000, 80).sequence(100).build()};
    for (uint64_t second = 1; second <= 350; second += 50) {
        packets.push_back(
            from_client(second * kSecond).tcp(40000, 80).sequence(100).payload("abcd").build());
    }
    const Metered metered = meter(packets);
    CHECK_EQUAL(2u, metered.records.size());
    const proto::FlowSummary& first = metered.records[0];
    CHECK_EQUAL(8u, first.forward().payload_spread().count());
    CHECK_EQUAL(5u, first.forward().tcp_statistics().retransmissions());
    CHECK_TRUE(first.has_rtt_in_ns());
    const proto::FlowSummary& second = metered.records[1];
    CHECK_EQUAL(1u, second.forward().payload_spread().count());
    CHECK_EQUAL(0u, second.forward().gap_spread().count());
    CHECK_FALSE(second.has_reverse());
    // Its octets were seen in the first one.
    CHECK_EQUAL(1u, second.forward().tcp_statistics().retransmissions());
    CHECK_FALSE(second.has_rtt_in_ns());
    CHECK_FALSE(second.has_rtt_out_ns());
}

TEST(FlowStatistics, without_details_there_are_none) {
    DispatcherConfig config;
    config.worker.meter.details = false;
    const Metered metered = meter({sized_datagram(0, 3)}, config);
    CHECK_FALSE(metered.records[0].forward().has_payload_spread());
}

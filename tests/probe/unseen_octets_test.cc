#include <string>
#include <vector>

#include "tests/probe/tcp_sides.h"
#include "tests/support/metering.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

TEST_GROUP(UnseenOctets){
    static Packet later(Packet packet, uint64_t time_ns){packet.time_ns = time_ns;
return packet;
}
}
;

TEST(UnseenOctets, what_was_acknowledged_and_never_seen_was_lost_before_us) {
    const auto unseen = [](const std::vector<Packet>& packets) {
        // The server's side exists before its first packet.
        return unseen_octets(Sides(packets).client());
    };
    CHECK_EQUAL(0u, unseen({segment(100, 10), answer(110), segment(110, 10), answer(120)}));
    // In the middle, at the end, both.
    CHECK_EQUAL(10u, unseen({segment(100, 10), segment(120, 10), answer(130)}));
    CHECK_EQUAL(20u, unseen({segment(100, 10), answer(130)}));
    CHECK_EQUAL(15u, unseen({segment(100, 10), segment(120, 10), answer(135)}));
    // Not acknowledged, or acknowledged in part: the receiver has not got it either.
    CHECK_EQUAL(0u, unseen({segment(100, 10), segment(120, 10), answer(110)}));
    CHECK_EQUAL(4u, unseen({segment(100, 10), segment(120, 10), answer(114)}));
    // The mirror brought the answer first, or a segment late.
    CHECK_EQUAL(0u, unseen({segment(100, 10), answer(120), segment(110, 10)}));
    CHECK_EQUAL(0u, unseen({segment(100, 10), segment(120, 10), answer(130), segment(110, 10)}));
    // An older answer takes nothing back, a reset says nothing, and nobody has so large a window.
    CHECK_EQUAL(20u, unseen({segment(100, 10), answer(130), answer(110)}));
    CHECK_EQUAL(0u, unseen({segment(100, 10), answer(5000, "RA")}));
    CHECK_EQUAL(0u, unseen({segment(100, 10), answer(100u + (1u << 27))}));
    CHECK_EQUAL(0u, unseen({segment(100, 10), answer(90)}));
    // Sequence numbers begin anew at 0.
    CHECK_EQUAL(20u, unseen({segment(0xffff'fff0, 10), answer(0x0000'000e)}));
}

TEST(UnseenOctets, the_first_answer_to_a_syn_alone_is_its_own_or_of_another_connection) {
    const auto unseen = [](const std::vector<Packet>& packets) {
        return unseen_octets(Sides(packets).client());
    };
    // Half-open (RFC 9293 figure 10), and a SYN+ACK that acknowledges something else.
    CHECK_EQUAL(0u, unseen({segment(100, 0, "S"), answer(5'000'000)}));
    CHECK_EQUAL(0u, unseen({segment(100, 0, "S"), answer(5'000'000, "SA")}));
    // What it has accepted of data in a SYN, or not.
    CHECK_EQUAL(0u, unseen({segment(100, 10, "S"), answer(101, "SA")}));
    CHECK_EQUAL(0u, unseen({segment(100, 10, "S"), answer(111, "SA")}));
    // Once it is answered all else may be missing.
    CHECK_EQUAL(999u, unseen({segment(100, 0, "S"), answer(101, "SA"), answer(1100)}));
    CHECK_EQUAL(20u, unseen({segment(100, 0, "S"), segment(101, 10), answer(131)}));
}

TEST(UnseenOctets, another_connection_keeps_what_the_one_before_lacked) {
    const std::vector<Packet> packets{segment(100, 10),
                                      answer(130),
                                      segment(70'000, 0, "S"),
                                      answer(70'001, "SA"),
                                      segment(70'011, 10),
                                      answer(70'021)};
    CHECK_EQUAL(30u, unseen_octets(Sides(packets).client()));
}

TEST(UnseenOctets, holes_that_are_pushed_out_are_counted_all_the_same) {
    std::vector<Packet> packets;
    for (uint32_t i = 0; i < 40; ++i) {
        packets.push_back(segment(100 + 20 * i, 10));
        packets.push_back(answer(110 + 20 * i));
    }
    CHECK_EQUAL(390u, unseen_octets(Sides(packets).client()));
}

TEST(UnseenOctets, the_ledger_has_what_was_seen_and_what_was_not) {
    const Metered metered = meter({segment(100, 10),
                                   answer(110),
                                   segment(120, 10),
                                   answer(130),
                                   from_client(0).udp(5000, 6000).payload("x").build()});
    CHECK_EQUAL(20u, metered.ledger.flows.tcp_octets_seen);
    CHECK_EQUAL(10u, metered.ledger.flows.tcp_octets_unseen);
    // The record says so, and none that has all.
    CHECK_EQUAL(2u, metered.records.size());
    for (const proto::FlowSummary& record : metered.records) {
        CHECK_EQUAL(record.protocol_identifier() == 6,
                    (record.quality() & proto::QUALITY_GAP) != 0);
    }
    const Metered whole = meter({segment(100, 10), answer(110), segment(110, 10), answer(120)});
    CHECK_EQUAL(0u, whole.records.at(0).quality() & proto::QUALITY_GAP);
}

// Sides whose record ends before the packets of `second`; both records' octets unseen.
struct TwoRecords : Sides {
    uint64_t first_unseen = 0;

    TwoRecords(const std::vector<Packet>& first, const std::vector<Packet>& second) : Sides(first) {
        first_unseen = unseen_octets(client());
        continue_statistics(sides[0]);
        continue_statistics(sides[1]);
        add(second);
    }
    std::string told() const {
        return std::to_string(client().packets) + " packets, " +
               std::to_string(client().retransmissions) + " again, " +
               std::to_string(client().out_of_order) + " late, " + std::to_string(first_unseen) +
               " + " + std::to_string(unseen_octets(client())) + " unseen";
    }
};

TEST(UnseenOctets, what_was_seen_in_an_earlier_record_was_seen) {
    STRCMP_EQUAL("2 packets, 1 again, 0 late, 0 + 0 unseen",
                 TwoRecords({segment(100, 10), segment(110, 10), answer(100)},
                            {segment(100, 10), answer(120), segment(120, 10), answer(130)})
                     .told()
                     .c_str());
    // A hole is filled late.
    STRCMP_EQUAL("1 packets, 0 again, 1 late, 0 + 0 unseen",
                 TwoRecords({segment(100, 10), segment(120, 10)}, {segment(110, 10), answer(130)})
                     .told()
                     .c_str());
}

TEST(UnseenOctets, what_was_not_seen_is_told_in_one_record) {
    // At the end, in the middle; the next record has something of its own.
    STRCMP_EQUAL("1 packets, 0 again, 0 late, 30 + 5 unseen",
                 TwoRecords({segment(100, 10), segment(120, 10), answer(150)},
                            {segment(150, 10), answer(165)})
                     .told()
                     .c_str());
    // Acknowledged in the second record alone.
    STRCMP_EQUAL("0 packets, 0 again, 0 late, 0 + 10 unseen",
                 TwoRecords({segment(100, 10), segment(120, 10), answer(110)}, {answer(130)})
                     .told()
                     .c_str());
    // The mirror brought the answer first: what was told comes again, and pays for nothing else.
    STRCMP_EQUAL("1 packets, 1 again, 0 late, 10 + 0 unseen",
                 TwoRecords({segment(100, 10), answer(120)}, {segment(110, 10)}).told().c_str());
    STRCMP_EQUAL("2 packets, 1 again, 0 late, 10 + 10 unseen",
                 TwoRecords({segment(100, 10), answer(120)},
                            {segment(110, 10), segment(130, 10), answer(140)})
                     .told()
                     .c_str());
    STRCMP_EQUAL("2 packets, 1 again, 1 late, 10 + 4 unseen",
                 TwoRecords({segment(100, 10), segment(130, 10), answer(120)},
                            {segment(110, 10), segment(124, 6), answer(140)})
                     .told()
                     .c_str());
}

TEST(UnseenOctets, an_answer_of_long_ago_says_nothing_of_now) {
    std::vector<Packet> packets = {segment(100, 10), answer(110)};
    uint32_t sequence = 110;
    for (int i = 0; i < 60; ++i) {
        packets.push_back(segment(sequence, 10));
        sequence += 80'000'000;
    }
    CHECK_EQUAL(0u, unseen_octets(Sides(packets).client()));
    // One of now does.
    sequence -= 80'000'000;
    packets.push_back(answer(sequence + 10));
    packets.push_back(segment(sequence + 20, 10));
    packets.push_back(answer(sequence + 30));
    CHECK_TRUE(unseen_octets(Sides(packets).client()) >= 10);
}

TEST(UnseenOctets, after_a_record_with_fragments_numbers_begin_anew) {
    Packet fragment = segment(110, 10);
    fragment.octets[14 + 6] |= 0x20;
    STRCMP_EQUAL(
        "1 packets, 0 again, 0 late, 0 + 0 unseen",
        TwoRecords({segment(100, 10), fragment}, {segment(2000, 10), answer(2010)}).told().c_str());
}

TEST(UnseenOctets, records_of_one_flow_tell_together_what_one_record_would) {
    std::vector<Packet> packets = {segment(100, 10), segment(110, 10), answer(100)};
    for (uint32_t i = 0; i < 3; ++i) {
        packets.push_back(later(segment(100 + 10 * i, 10), (2 + i) * kSecond));
        packets.push_back(later(answer(i == 2 ? 130 : 120), (2 + i) * kSecond));
    }
    DispatcherConfig config;
    config.worker.meter.timeouts.active_ns = kSecond;
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(3u, metered.records.size());
    uint32_t again = 0;
    for (const proto::FlowSummary& record : metered.records) {
        again += record.forward().tcp_statistics().retransmissions();
        CHECK_EQUAL(0u, record.quality() & proto::QUALITY_GAP);
    }
    CHECK_EQUAL(2u, again);
    CHECK_EQUAL(0u, metered.ledger.flows.tcp_octets_unseen);
}

#include "probe/copy_table.h"

#include <memory>
#include <string>
#include <vector>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

PacketBuilder datagram(uint16_t id, std::string_view text = "hello") {
    return PacketBuilder{}.ethernet().ipv4().ip_id(id).udp(5000, 53).payload(text);
}

PacketBuilder segment(PacketBuilder ip, std::string_view text = "hello") {
    return ip.tcp(40000, 80).flags("PA").sequence(7).acknowledgement(9).payload(text);
}

}  // namespace

TEST_GROUP(CopyTable) {
    const KeyedHash hash{KeyedHash::Key{}};
    const std::unique_ptr<PacketDigest> digest = std::make_unique<PacketDigest>(hash);
    std::vector<CopyTable::Bucket> buckets{CopyTable::kBuckets};
    CopyTable table{buckets, {}, *digest};
    uint64_t now_ns = kSecond;
    bool untimed = false;

    // The packet comes so much later than the one before.
    bool is_copy(
        PacketBuilder builder, uint64_t later_ns = 7 * kMicrosecond, uint32_t answers = 1) {
        now_ns += later_ns;
        const Packet packet = builder.time_ns(now_ns).build();
        PacketView view = packet.view();
        view.is_untimed = untimed;
        ParsedPacket parsed;
        CHECK_TRUE(parse_packet(view, {}, parsed) == ParseResult::metered);
        const uint64_t flow = hash(parsed.key);
        table.prefetch(parsed, flow);
        return table.is_copy(parsed, flow, answers);
    }
};

TEST(CopyTable, the_same_octets_within_the_window_are_a_copy) {
    CHECK_FALSE(is_copy(datagram(1)));
    CHECK_TRUE(is_copy(datagram(1)));
    CHECK_FALSE(is_copy(datagram(2)));
    CHECK_TRUE(is_copy(datagram(2), 1000 * kMicrosecond));
}

TEST(CopyTable, not_behind_the_window) {
    CHECK_FALSE(is_copy(datagram(1)));
    CHECK_FALSE(is_copy(datagram(1), 1000 * kMicrosecond + 1));
}

TEST(CopyTable, without_a_time_nothing_is_known_to_be_within_the_window) {
    now_ns = kLatestTimeNs;
    CHECK_FALSE(is_copy(datagram(77), 0));
    CHECK_FALSE(is_copy(datagram(77), 0));
    now_ns = 0;
    CHECK_FALSE(is_copy(datagram(78), 0));
    CHECK_FALSE(is_copy(datagram(78), 0));
    now_ns = 1;
    CHECK_FALSE(is_copy(datagram(79), 0));
    CHECK_TRUE(is_copy(datagram(79), 0));
    untimed = true;
    CHECK_FALSE(is_copy(datagram(79), 0));
}

TEST(CopyTable, a_copy_may_be_stamped_before_its_packet) {
    CHECK_FALSE(is_copy(datagram(1)));
    now_ns -= 20 * kMicrosecond;
    CHECK_TRUE(is_copy(datagram(1)));
}

TEST(CopyTable, a_copy_may_come_behind_later_packets) {
    for (uint16_t id = 1; id <= 256; ++id) {
        CHECK_FALSE(is_copy(datagram(id), kMicrosecond));
    }
    for (uint16_t id = 1; id <= 256; ++id) {
        CHECK_TRUE(is_copy(datagram(id), kMicrosecond));
    }
}

TEST(CopyTable, segments_of_any_length_are_remembered_side_by_side) {
    constexpr uint32_t kSegments = 32;
    for (const uint32_t length : {1u, 512u, 536u, 724u, 1024u, 1220u, 1440u, 1448u, 2896u, 8948u}) {
        const auto sent = [length](uint32_t number) {
            return PacketBuilder{}
                .ethernet()
                .ipv6()
                .tcp(40000, 80)
                .flags("PA")
                .sequence(77 + number * length)
                .payload("hello");
        };
        now_ns += 2 * kSecond;
        for (uint32_t number = 0; number < kSegments; ++number) {
            CHECK_FALSE(is_copy(sent(number), kMicrosecond));
        }
        for (uint32_t number = 0; number < kSegments; ++number) {
            const std::string which = std::to_string(length) + ": " + std::to_string(number);
            CHECK_TRUE_TEXT(is_copy(sent(number), kMicrosecond), which.c_str());
        }
    }
}

TEST(CopyTable, what_is_sent_again_has_another_identification) {
    CHECK_FALSE(is_copy(segment(PacketBuilder{}.ethernet().ipv4().ip_id(1))));
    CHECK_FALSE(is_copy(segment(PacketBuilder{}.ethernet().ipv4().ip_id(2))));
}

TEST(CopyTable, what_was_changed_on_its_way_is_no_copy) {
    CHECK_FALSE(is_copy(PacketBuilder{}.ethernet().ipv4().ip_id(1).ttl(64).udp(1, 2)));
    CHECK_FALSE(is_copy(PacketBuilder{}.ethernet().ipv4().ip_id(1).ttl(63).udp(1, 2)));
    CHECK_FALSE(is_copy(PacketBuilder{}.ethernet().ipv4().ip_id(2).udp(1, 2)));
    CHECK_FALSE(is_copy(PacketBuilder{}.ethernet().ipv4().ip_id(2).class_of_service(4).udp(1, 2)));
}

TEST(CopyTable, a_packet_before_and_behind_a_router_has_copies_of_both) {
    const auto hop = [](uint8_t ttl) {
        return PacketBuilder{}.ethernet().ipv4().ip_id(1).ttl(ttl).udp(1, 2);
    };
    CHECK_FALSE(is_copy(hop(64)));
    CHECK_TRUE(is_copy(hop(64)));
    CHECK_FALSE(is_copy(hop(63)));
    CHECK_TRUE(is_copy(hop(63)));
    CHECK_TRUE(is_copy(hop(64)));
}

TEST(CopyTable, stamps_ahead_of_all_others_are_not_kept_for_ever) {
    const uint64_t right_ns = now_ns;
    for (uint16_t id = 1; id <= 1000; ++id) {
        CHECK_FALSE(is_copy(datagram(id)));
    }
    now_ns = right_ns / 2;
    for (uint16_t id = 1001; id <= 1100; ++id) {
        CHECK_FALSE(is_copy(datagram(id)));
    }
    for (uint16_t id = 1001; id <= 1100; ++id) {
        CHECK_TRUE(is_copy(datagram(id)));
    }
}

TEST(CopyTable, link_header_and_padding_may_differ) {
    const auto packet = [](PacketBuilder link) { return link.ipv4().ip_id(1).udp(1, 2); };
    CHECK_FALSE(is_copy(packet(PacketBuilder{}.ethernet().vlan(7))));
    CHECK_TRUE(is_copy(packet(PacketBuilder{}.ethernet().vlan(8))));
    CHECK_TRUE(is_copy(packet(PacketBuilder{}.ethernet("02:00:00:00:00:09")).padding(18)));
}

TEST(CopyTable, without_identification_a_datagram_tells_nothing) {
    CHECK_FALSE(is_copy(datagram(0)));
    CHECK_FALSE(is_copy(datagram(0)));
    const auto six = PacketBuilder{}.ethernet().ipv6().udp(5353, 5353).payload("hello");
    CHECK_FALSE(is_copy(six));
    CHECK_FALSE(is_copy(six));
}

TEST(CopyTable, without_identification_a_segment_is_a_copy_while_nothing_asked_for_it) {
    const PacketBuilder data = segment(PacketBuilder{}.ethernet().ipv6());
    CHECK_FALSE(is_copy(data, kMicrosecond, 3));
    CHECK_TRUE(is_copy(data, kMicrosecond, 3));
    CHECK_FALSE(is_copy(data, kMicrosecond, 4));
    CHECK_TRUE(is_copy(data, kMicrosecond, 4));
}

TEST(CopyTable, nor_where_nothing_was_heard_that_could_ask) {
    const PacketBuilder data = segment(PacketBuilder{}.ethernet().ipv6());
    CHECK_FALSE(is_copy(data, kMicrosecond, 0));
    CHECK_FALSE(is_copy(data, kMicrosecond, 0));
}

TEST(CopyTable, without_identification_an_acknowledgement_tells_nothing) {
    CHECK_FALSE(is_copy(segment(PacketBuilder{}.ethernet().ipv6(), "")));
    CHECK_FALSE(is_copy(segment(PacketBuilder{}.ethernet().ipv6(), "")));
}

TEST(CopyTable, an_identification_on_other_octets_counts_nothing) {
    CHECK_FALSE(is_copy(datagram(9, "one")));
    CHECK_FALSE(is_copy(datagram(9, "two"), kSecond));
    CHECK_FALSE(is_copy(datagram(9, "two")));
    CHECK_FALSE(is_copy(datagram(9, "two")));
    // In this flow alone, and not for ever.
    CHECK_FALSE(is_copy(PacketBuilder{}.ethernet().ipv4().ip_id(9).udp(5001, 53)));
    CHECK_TRUE(is_copy(PacketBuilder{}.ethernet().ipv4().ip_id(9).udp(5001, 53)));
    CHECK_FALSE(is_copy(datagram(9, "two"), kSecond + 1));
    CHECK_TRUE(is_copy(datagram(9, "two")));
}

TEST(CopyTable, more_than_three_copies_are_a_sender_that_repeats_itself) {
    int copies = 0;
    for (int i = 0; i < 5000; ++i) {
        copies += is_copy(datagram(9)) ? 1 : 0;
    }
    CHECK_EQUAL(3, copies);
}

TEST(CopyTable, fragments_are_looked_for_one_by_one) {
    const auto fragment = [](uint16_t at, bool more) {
        return PacketBuilder{}
            .ethernet()
            .ipv4()
            .fragment(0, at, more)
            .protocol(17)
            .payload("12345678");
    };
    for (uint16_t at = 8; at <= 64; at += 8) {
        CHECK_FALSE(is_copy(fragment(at, true)));
    }
    for (uint16_t at = 8; at <= 64; at += 8) {
        CHECK_TRUE(is_copy(fragment(at, true)));
    }
    CHECK_FALSE(is_copy(fragment(64, false)));
}

TEST(CopyTable, inside_a_tunnel_the_innermost_packet_counts) {
    const auto tunnel = [](uint8_t ttl) {
        return PacketBuilder{}.ethernet().ipv4().ttl(ttl).gre().ipv4().ip_id(1).udp(1, 2);
    };
    CHECK_FALSE(is_copy(tunnel(64)));
    CHECK_TRUE(is_copy(tunnel(63)));
}

TEST(CopyTable, a_cut_packet_is_a_copy_by_what_there_is) {
    const Packet whole = datagram(1).time_ns(kSecond).build();
    ParsedPacket parsed;
    const Packet cut = whole.captured(44);
    CHECK_TRUE(parse_packet(cut.view(), {}, parsed) == ParseResult::metered);
    CHECK_FALSE(table.is_copy(parsed, hash(parsed.key), 0));
    CHECK_TRUE(table.is_copy(parsed, hash(parsed.key), 0));
}

TEST(CopyTable, what_is_removed_was_compared_to_the_last_octet) {
    std::vector<CopyTable::Bucket> others{CopyTable::kBuckets};
    CopyTable removing{others, {.action = CopyAction::remove}, *digest};
    std::string text(1000, 'a');
    for (const char last : {'a', 'b'}) {
        text.back() = last;
        Packet packet = datagram(1, text).time_ns(kSecond).build();
        // The checksum is not looked at by everybody, and could be made equal.
        packet.octets[14 + 20 + 6] = packet.octets[14 + 20 + 7] = 0;
        ParsedPacket parsed;
        CHECK_TRUE(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
        CHECK_FALSE(removing.is_copy(parsed, hash(parsed.key), 0));
        CHECK_EQUAL(last == 'b', table.is_copy(parsed, hash(parsed.key), 0));
    }
}

// Through receivers, workers and records.
TEST_GROUP(Copies) {
    std::vector<Packet> packets;

    void add(PacketBuilder builder, size_t times) {
        for (size_t i = 0; i < times; ++i) {
            packets.push_back(builder.time_ns(kSecond + packets.size() * 7 * kMicrosecond).build());
        }
    }

    Metered metered(CopyAction action, size_t workers = 1, size_t burst = 64) {
        DispatcherConfig config;
        config.worker.meter.copies.action = action;
        config.workers = workers;
        return meter(packets, config, burst);
    }
};

TEST(Copies, are_counted_and_their_record_is_marked) {
    add(datagram(1), 2);
    add(datagram(2), 1);
    add(datagram(3), 3);
    const Metered result = metered(CopyAction::count);
    CHECK_EQUAL(1u, result.records.size());
    CHECK_EQUAL(6u, result.records[0].forward().packets());
    CHECK_EQUAL(3u, result.records[0].forward().copies());
    CHECK_TRUE((result.records[0].quality() & proto::QUALITY_DUPLICATE) != 0);
    CHECK_EQUAL(3u, result.flows.copies);
    CHECK_EQUAL(6u, result.packets.by_result[0]);
}

TEST(Copies, removed_leave_what_was_sent_and_the_ledger_closes) {
    add(datagram(1), 2);
    add(PacketBuilder{}.ethernet().ipv4().fragment(4, 8, false).protocol(17).payload("12345678"),
        2);
    const Metered result = metered(CopyAction::remove);
    CHECK_EQUAL(2u, result.records.size());
    CHECK_EQUAL(1u, result.records[0].forward().packets());
    CHECK_EQUAL(33u, result.records[0].forward().octets());
    CHECK_EQUAL(1u, result.records[0].forward().copies());
    CHECK_EQUAL(4u, result.ledger.port.packets_offered);
    CHECK_EQUAL(2u, result.packets.by_result[0]);
    CHECK_EQUAL(2u, result.flows.packets);
    CHECK_EQUAL(33u + 28, result.packets.octets_metered);
    STRCMP_EQUAL("copy", result.ledger.not_metered[0].first);
    CHECK_EQUAL(2u, result.ledger.not_metered[0].second);
    STRCMP_EQUAL("fragment", name_of_note(1));
    CHECK_EQUAL(1u, result.packets.by_note[1]);
}

TEST(Copies, are_not_looked_for_when_off) {
    add(datagram(1), 2);
    const Metered result = metered(CopyAction::off);
    CHECK_EQUAL(2u, result.records[0].forward().packets());
    CHECK_EQUAL(0u, result.records[0].forward().copies());
    CHECK_EQUAL(0u, result.records[0].quality() & proto::QUALITY_DUPLICATE);
}

TEST(Copies, are_a_records_own) {
    add(datagram(1), 2);
    packets.push_back(datagram(2).time_ns(302 * kSecond).build());
    packets.push_back(datagram(3).time_ns(302 * kSecond).build());
    DispatcherConfig config;
    config.worker.meter.timeouts.idle_other_ns = 0;
    const Metered result = meter(packets, config);
    CHECK_EQUAL(2u, result.records.size());
    CHECK_EQUAL(1u, result.records[0].forward().copies());
    CHECK_EQUAL(0u, result.records[1].forward().copies());
    CHECK_EQUAL(0u, result.records[1].quality() & proto::QUALITY_DUPLICATE);
}

TEST(Copies, do_not_depend_on_workers_or_bursts) {
    for (uint16_t port = 1; port <= 200; ++port) {
        add(PacketBuilder{}.ethernet().ipv4().ip_id(port).udp(port, 53), 1 + port % 3);
    }
    for (const CopyAction action : {CopyAction::count, CopyAction::remove}) {
        const Metered one = metered(action);
        for (const size_t workers : {1u, 2u, 5u}) {
            for (const size_t burst : {1u, 7u, 64u}) {
                const Metered other = metered(action, workers, burst);
                CHECK_EQUAL(one.records.size(), other.records.size());
                for (size_t i = 0; i < one.records.size(); ++i) {
                    CHECK_TRUE(one.records[i].SerializeAsString() ==
                               other.records[i].SerializeAsString());
                }
                CHECK_EQUAL(one.packets.by_result[0], other.packets.by_result[0]);
            }
        }
    }
}

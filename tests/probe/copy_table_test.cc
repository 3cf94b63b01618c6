#include "probe/copy_table.h"

#include <memory>
#include <string>
#include <vector>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

constexpr uint64_t kMicrosecond = 1000;
constexpr uint64_t kSecond = 1'000'000'000;

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

    // The packet comes so much later than the one before.
    bool is_copy(
        PacketBuilder builder, uint64_t later_ns = 7 * kMicrosecond, uint32_t answers = 1) {
        now_ns += later_ns;
        const Packet packet = builder.time_ns(now_ns).build();
        ParsedPacket parsed;
        CHECK_TRUE(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
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
    for (const uint16_t at : {8, 16, 24, 32, 40, 48, 56, 64}) {
        CHECK_FALSE(is_copy(fragment(at, true)));
    }
    for (const uint16_t at : {8, 16, 24, 32, 40, 48, 56, 64}) {
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

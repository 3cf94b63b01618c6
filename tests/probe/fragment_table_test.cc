#include "probe/fragment_table.h"

#include <stdexcept>
#include <string>

#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"

namespace curlew::probe {

using tests::kSecond;
using tests::Packet;
using tests::PacketBuilder;

namespace {

constexpr uint64_t kFragmentStart = 1'000 * kSecond;

// Without its pointers, which the table has no use for.
ParsedPacket parsed_fragment(const Packet& packet) {
    ParsedPacket parsed;
    CHECK_TRUE(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
    return parsed;
}

ParsedPacket first_fragment(uint16_t id,
                            uint64_t time_ns = kFragmentStart,
                            uint16_t source_port = 4000,
                            const char* source = "10.0.0.9") {
    return parsed_fragment(PacketBuilder{}
                               .ipv4(source, "10.0.0.2")
                               .fragment(id, 0, true)
                               .udp(source_port, 53)
                               .length(2000)
                               .payload("sixteen octets..")
                               .time_ns(time_ns)
                               .build());
}

ParsedPacket later_fragment(uint16_t id,
                            uint64_t time_ns = kFragmentStart,
                            uint8_t protocol = 17,
                            const char* source = "10.0.0.9") {
    return parsed_fragment(PacketBuilder{}
                               .ipv4(source, "10.0.0.2")
                               .fragment(id, 1480, false)
                               .protocol(protocol)
                               .payload("the rest")
                               .time_ns(time_ns)
                               .build());
}

KeyedHash::Key hash_key() {
    KeyedHash::Key key{};
    for (size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<uint8_t>(i * 7 + 1);
    }
    return key;
}

}  // namespace

TEST_GROUP(FragmentTable) {
    FragmentTable table{{}, hash_key()};

    bool resolve(ParsedPacket packet) {
        return table.resolve(packet);
    }
};

TEST(FragmentTable, later_fragment_gets_the_key_of_its_first) {
    ParsedPacket first = first_fragment(7);
    ParsedPacket later = later_fragment(7);
    CHECK_FALSE(table.resolve(first));
    CHECK_TRUE(table.resolve(later));
    CHECK_TRUE(first.key == later.key);
    CHECK_TRUE(first.from_low == later.from_low);
    LONGS_EQUAL(53, later.key.low_port);
    LONGS_EQUAL(4000, later.key.high_port);
    LONGS_EQUAL(1, table.counters().remembered);
    LONGS_EQUAL(1, table.counters().joined);
}

TEST(FragmentTable, ports_decide_between_equal_addresses_here_too) {
    for (const uint16_t port : {uint16_t{1}, uint16_t{60000}}) {
        const auto builder = PacketBuilder{}.ipv4("10.0.0.1", "10.0.0.1").fragment(port, 0, true);
        ParsedPacket first =
            parsed_fragment(PacketBuilder(builder).udp(port, 500).payload("x").build());
        ParsedPacket later = parsed_fragment(PacketBuilder{}
                                                 .ipv4("10.0.0.1", "10.0.0.1")
                                                 .fragment(port, 8, false)
                                                 .protocol(17)
                                                 .payload("y")
                                                 .build());
        CHECK_FALSE(table.resolve(first));
        CHECK_TRUE(table.resolve(later));
        CHECK_TRUE(first.key == later.key);
        CHECK_TRUE(first.from_low == later.from_low);
    }
}

TEST(FragmentTable, fragment_before_its_first_is_an_orphan) {
    ParsedPacket later = later_fragment(7);
    CHECK_FALSE(table.resolve(later));
    LONGS_EQUAL(0, later.key.low_port);
    LONGS_EQUAL(0, later.key.high_port);
    LONGS_EQUAL(1, table.counters().orphaned);
}

TEST(FragmentTable, another_sender_id_or_protocol_is_another_packet) {
    resolve(first_fragment(7));
    CHECK_FALSE(resolve(later_fragment(8)));
    CHECK_FALSE(resolve(later_fragment(7, kFragmentStart, 6)));
    CHECK_FALSE(resolve(later_fragment(7, kFragmentStart, 17, "10.0.0.8")));
    LONGS_EQUAL(3, table.counters().orphaned);
}

TEST(FragmentTable, receivers_own_fragments_with_the_same_id_are_not_joined) {
    resolve(first_fragment(7));
    CHECK_FALSE(resolve(parsed_fragment(PacketBuilder{}
                                            .ipv4("10.0.0.2", "10.0.0.9")
                                            .fragment(7, 8, false)
                                            .protocol(17)
                                            .payload("x")
                                            .time_ns(kFragmentStart)
                                            .build())));
}

TEST(FragmentTable, first_fragment_names_the_protocol_of_ipv6) {
    ParsedPacket first = parsed_fragment(PacketBuilder{}
                                             .ipv6("::1", "::2")
                                             .fragment(99, 0, true)
                                             .extension(60)
                                             .udp(3, 4)
                                             .length(2000)
                                             .build());
    ParsedPacket later = parsed_fragment(PacketBuilder{}
                                             .ipv6("::1", "::2")
                                             .fragment(99, 8, false)
                                             .protocol(60)
                                             .payload("rest")
                                             .build());
    CHECK_FALSE(table.resolve(first));
    CHECK_TRUE(table.resolve(later));
    CHECK_TRUE(first.key == later.key);
    LONGS_EQUAL(17, later.key.protocol);
}

TEST(FragmentTable, first_fragment_is_forgotten_after_sixty_seconds) {
    resolve(first_fragment(7));
    CHECK_TRUE(resolve(later_fragment(7, kFragmentStart + 60 * kSecond)));
    CHECK_FALSE(resolve(later_fragment(7, kFragmentStart + 60 * kSecond + 1)));
}

TEST(FragmentTable, fragments_out_of_order_in_time_are_joined) {
    resolve(first_fragment(7));
    CHECK_TRUE(resolve(later_fragment(7, kFragmentStart - kSecond)));
    CHECK_FALSE(resolve(later_fragment(7, kFragmentStart - 61 * kSecond)));
}

TEST(FragmentTable, repeated_first_fragment_is_remembered_longer) {
    resolve(first_fragment(7));
    resolve(first_fragment(7, kFragmentStart + 50 * kSecond));
    CHECK_TRUE(resolve(later_fragment(7, kFragmentStart + 100 * kSecond)));
    LONGS_EQUAL(1, table.counters().remembered);
    LONGS_EQUAL(1, table.counters().repeated);
}

TEST(FragmentTable, contradicting_first_fragment_loses) {
    resolve(first_fragment(7));
    resolve(first_fragment(7, kFragmentStart + 1, 6666));
    ParsedPacket later = later_fragment(7, kFragmentStart + 2);
    CHECK_TRUE(table.resolve(later));
    LONGS_EQUAL(4000, later.key.high_port);
    LONGS_EQUAL(1, table.counters().contradicted);
}

TEST(FragmentTable, identification_may_be_used_again_after_a_pause) {
    constexpr uint64_t kPause = FragmentTable::kPause_ns;
    resolve(first_fragment(7));
    // Its fragments go on coming, so that another first one within the pause behind them loses.
    CHECK_TRUE(resolve(later_fragment(7, kFragmentStart + 2 * kPause)));
    CHECK_TRUE(resolve(later_fragment(7, kFragmentStart + kPause)));
    resolve(first_fragment(7, kFragmentStart + 3 * kPause, 6666));
    LONGS_EQUAL(1, table.counters().contradicted);
    ParsedPacket later = later_fragment(7, kFragmentStart + 3 * kPause);
    CHECK_TRUE(table.resolve(later));
    LONGS_EQUAL(4000, later.key.high_port);

    resolve(first_fragment(7, kFragmentStart + 4 * kPause + 1, 6666));
    later = later_fragment(7, kFragmentStart + 4 * kPause + 2);
    CHECK_TRUE(table.resolve(later));
    LONGS_EQUAL(6666, later.key.high_port);
    LONGS_EQUAL(2, table.counters().remembered);
    // And again, with nothing in between.
    resolve(first_fragment(7, kFragmentStart + 6 * kPause, 7777));
    later = later_fragment(7, kFragmentStart + 6 * kPause);
    CHECK_TRUE(table.resolve(later));
    LONGS_EQUAL(7777, later.key.high_port);
    LONGS_EQUAL(1, table.counters().contradicted);
}

TEST(FragmentTable, identification_may_be_used_again_after_the_timeout) {
    resolve(first_fragment(7));
    resolve(first_fragment(7, kFragmentStart + 61 * kSecond, 6666));
    ParsedPacket later = later_fragment(7, kFragmentStart + 61 * kSecond);
    CHECK_TRUE(table.resolve(later));
    LONGS_EQUAL(6666, later.key.high_port);
    LONGS_EQUAL(2, table.counters().remembered);
    LONGS_EQUAL(0, table.counters().evicted);
}

TEST(FragmentTable, full_table_replaces_the_oldest_and_counts_it) {
    FragmentTable small({.capacity = 8}, hash_key());
    for (uint16_t id = 0; id < 9; ++id) {
        ParsedPacket first = first_fragment(id, kFragmentStart + id);
        small.resolve(first);
    }
    LONGS_EQUAL(9, small.counters().remembered);
    LONGS_EQUAL(1, small.counters().evicted);
    ParsedPacket oldest = later_fragment(0, kFragmentStart + 10);
    ParsedPacket second = later_fragment(1, kFragmentStart + 10);
    ParsedPacket newest = later_fragment(8, kFragmentStart + 10);
    CHECK_FALSE(small.resolve(oldest));
    CHECK_TRUE(small.resolve(second));
    CHECK_TRUE(small.resolve(newest));
}

TEST(FragmentTable, expired_entries_are_replaced_before_valid_ones) {
    FragmentTable small({.capacity = 8}, hash_key());
    ParsedPacket early = first_fragment(100, kFragmentStart);
    small.resolve(early);
    for (uint16_t id = 0; id < 8; ++id) {
        ParsedPacket first = first_fragment(id, kFragmentStart + 61 * kSecond);
        small.resolve(first);
    }
    LONGS_EQUAL(0, small.counters().evicted);
}

TEST(FragmentTable, every_fragment_is_counted_once) {
    FragmentTable small({.capacity = 16}, hash_key());
    for (uint16_t i = 0; i < 1000; ++i) {
        const auto id = static_cast<uint16_t>(i * 31 % 64);
        const uint64_t time_ns = kFragmentStart + i * kSecond / 10;
        const auto port = static_cast<uint16_t>(i % 3);
        ParsedPacket packet =
            i % 2 == 0 ? first_fragment(id, time_ns, port) : later_fragment(id, time_ns);
        small.resolve(packet);
    }
    const FragmentCounters& counters = small.counters();
    LONGS_EQUAL(500, counters.remembered + counters.repeated + counters.contradicted);
    LONGS_EQUAL(500, counters.joined + counters.orphaned);
    CHECK_TRUE(counters.evicted <= counters.remembered);
}

TEST(FragmentTable, impossible_capacities_are_refused_in_one_sentence) {
    std::string said;
    try {
        FragmentTable impossible({.capacity = 0}, hash_key());
    } catch (const std::runtime_error& error) {
        said = error.what();
    }
    STRCMP_EQUAL("fragment table: a capacity of 0 is not between 1 and 16777216", said.c_str());
}

}  // namespace curlew::probe

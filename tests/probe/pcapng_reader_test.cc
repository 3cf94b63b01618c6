#include "probe/pcapng_reader.h"

#include <string>
#include <vector>

#include "tests/probe/capture_blocks.h"
#include "tests/probe/read_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;

TEST_GROUP(PcapngReader) {
    Number number = little;

    Octets any(uint32_t type, const Octets& body) const {
        return block(type, body, number);
    }

    // A section behind whose version stands a comment.
    Octets begin() const {
        return any(0x0a0d0d0a,
                   number(0x1a2b3c4d, 4) + number(1, 2) + number(0, 2) + number(~uint64_t{0}, 8) +
                       number(1, 2) + number(3, 2) + Octets{'a', 'b', 'c', 0} + number(0, 4));
    }

    Octets described(const Octets& options = {}, uint32_t link = kEthernet) const {
        return any(1, number(link, 2) + number(0, 2) + number(100, 4) + options);
    }

    Octets option(uint16_t code, uint64_t value) const {
        return number(code, 2) + number(8, 2) + number(value, 8);
    }

    Octets octet_option(uint16_t code, uint8_t value) const {
        return number(code, 2) + number(1, 2) + Octets{value, 0, 0, 0};
    }

    Octets flags(uint32_t value) const {
        return number(2, 2) + number(4, 2) + number(value, 4);
    }

    Octets packet(uint32_t of, const Octets& octets, const Octets& options = {}, uint64_t time = 0)
        const {
        const Octets padding((4 - octets.size() % 4) % 4, 0);
        return any(6,
                   number(of, 4) + number(time >> 32, 4) + number(time & 0xffffffff, 4) +
                       number(octets.size(), 4) + number(octets.size(), 4) + octets + padding +
                       options);
    }

    Octets old_packet(uint16_t of, uint16_t lost) const {
        return any(2,
                   number(of, 2) + number(lost, 2) + number(0, 4) + number(3, 4) + number(4, 4) +
                       number(4, 4) + Octets(4, 1));
    }

    Octets counted(uint32_t of, const Octets& options) const {
        return any(5, number(of, 4) + number(0, 8) + options);
    }

    // Of two interfaces the packets' counts are 7 and 4, of the statistics 5 and 9.
    Octets two_interfaces() const {
        return begin() + described() + described() + packet(0, Octets(5, 1), option(4, 3)) +
               packet(1, Octets(60, 1), option(2, 99) + option(4, 4) + number(0, 4)) +
               packet(0, Octets(3, 1)) + packet(0, {}, option(4, 4) + number(0, 4)) +
               counted(0, option(5, 5)) +
               counted(1, option(4, 1000) + option(5, 2) + option(7, 7) + number(0, 4));
    }

    uint64_t time_of(const Octets& options, uint64_t time) const {
        return read_packets(begin() + described(options) + packet(0, {1}, {}, time))
            .packets.at(0)
            .time_ns;
    }

    uint32_t wire_of(const Octets& interfaces, const Octets& packet) const {
        return read_packets(begin() + interfaces + packet).packets.at(0).wire_octets;
    }
};

TEST(PcapngReader, packets_of_any_interface_in_pieces_of_any_length_and_either_order) {
    for (const Number order : {Number{little}, Number{big}}) {
        number = order;
        const Octets file = two_interfaces() + two_interfaces();
        for (const size_t piece : {size_t{1}, size_t{3}, size_t{8}, size_t{13}, size_t{100}}) {
            const Reading reading = read_packets(file, piece);
            CHECK_EQUAL(8u, reading.packets.size());
            CHECK(reading.packets[4].octets == Octets(5, 1));
            CHECK(reading.packets[5].octets == Octets(60, 1));
            CHECK(reading.packets[7].octets.empty());
            CHECK_EQUAL(2 * (7u + 9u), reading.packets_lost);
            CHECK(reading.is_whole);
        }
    }
}

TEST(PcapngReader, sections_of_both_byte_orders_and_interfaces_of_several_links) {
    number = big;
    const Octets foreign =
        begin() + described({}, 101) + described({}, 113) + packet(1, {1, 2, 3}, {}, 7);
    number = little;
    const Reading reading =
        read_packets(begin() + described() + packet(0, {1}, {}, 5) + described({}, 101) +
                     packet(1, {2}, {}, 6) + packet(0, {3}, {}, 4) + foreign);
    CHECK_EQUAL(4u, reading.packets.size());
    CHECK(reading.packets[0].link == LinkType::ethernet);
    CHECK(reading.packets[1].link == LinkType::raw_ip);
    CHECK(reading.packets[2].link == LinkType::ethernet);
    CHECK(reading.packets[3].link == LinkType::linux_sll);
    CHECK(reading.packets[3].octets == Octets({1, 2, 3}));
    CHECK_EQUAL(7000u, reading.packets[3].time_ns);
    CHECK(reading.is_whole);
}

TEST(PcapngReader, every_interface_has_its_own_clock) {
    CHECK_EQUAL(5'000u, time_of({}, 5));
    CHECK_EQUAL(5'000'000'000u, time_of(octet_option(9, 0), 5));
    CHECK_EQUAL(5u, time_of(octet_option(9, 9), 5));
    CHECK_EQUAL(5u, time_of(octet_option(9, 12), 5'999));
    CHECK_EQUAL(500'000'000u, time_of(octet_option(9, 0x80 | 10), 512));
    CHECK_EQUAL(1'500'000'000u, time_of(octet_option(9, 0x80 | 63), uint64_t{3} << 62));
    CHECK_EQUAL(3'000'005'000u, time_of(option(14, 3), 5));
    CHECK_EQUAL(1'000'000u, time_of(option(14, ~uint64_t{0}), 1'001'000));
    const Reading reading = read_packets(begin() + described() + described(octet_option(9, 9)) +
                                         packet(0, {1}, {}, 9) + packet(1, {1}, {}, 9));
    CHECK_EQUAL(9'000u, reading.packets[0].time_ns);
    CHECK_EQUAL(9u, reading.packets[1].time_ns);
    // Finer ones count no whole second.
    CHECK_EQUAL(50u, time_of(octet_option(9, 20), 5'000'000'000'000));
    CHECK_EQUAL(7'000'000'050u, time_of(octet_option(9, 20) + option(14, 7), 5'000'000'000'000));
    CHECK_EQUAL(1u, time_of(octet_option(9, 28), 10'000'000'000'000'000'000u));
    CHECK_EQUAL(0u, time_of(octet_option(9, 29), 10'000'000'000'000'000'000u));
    CHECK_EQUAL(0u, time_of(octet_option(9, 127), ~uint64_t{0}));
    CHECK_EQUAL(500'000'000u, time_of(octet_option(9, 0x80 | 64), uint64_t{1} << 63));
    CHECK_EQUAL(0u, time_of(octet_option(9, 0x80 | 127), ~uint64_t{0}));
}

TEST(PcapngReader, the_first_interface_tells_whether_the_clock_is_fine) {
    const auto is_fine = [this](const Octets& options) {
        return read_packets(begin() + described(options) + described(octet_option(9, 9)))
            .nanosecond;
    };
    CHECK(!is_fine({}));
    CHECK(!is_fine(octet_option(9, 6)));
    CHECK(is_fine(octet_option(9, 7)));
    CHECK(!is_fine(octet_option(9, 0x80 | 19)));
    CHECK(is_fine(octet_option(9, 0x80 | 20)));
}

TEST(PcapngReader, any_interface_with_a_packet_tells_whether_the_clock_is_fine) {
    const Octets three = begin() + described() + described(octet_option(9, 9)) + described();
    const auto is_fine = [&](const Octets& packets) {
        return read_packets(three + packets).nanosecond;
    };
    const Octets coarse = packet(0, Octets(60));
    const Octets fine = packet(1, Octets(60));
    CHECK(!is_fine(coarse + packet(2, Octets(60))));
    CHECK(is_fine(coarse + fine));
    CHECK(is_fine(fine + coarse));
    // The first one's, when it had none, says nothing any more.
    CHECK(
        !read_packets(begin() + described(octet_option(9, 9)) + described() + packet(1, Octets(60)))
             .nanosecond);
    // Another section begins with a fine interface.
    CHECK(is_fine(coarse + begin() + described(octet_option(9, 9)) + packet(0, Octets(60))));
}

TEST(PcapngReader, absurd_times_are_moved_to_a_bound) {
    CHECK_EQUAL(kLatestTimeNs, time_of(octet_option(9, 0), 0x7fffffffffffffff));
    CHECK_EQUAL(kLatestTimeNs, time_of(octet_option(9, 0), 4'611'686'019));
    CHECK_EQUAL(4'611'686'018'000'000'000u, time_of(octet_option(9, 0), 4'611'686'018));
    CHECK_EQUAL(kLatestTimeNs, time_of(octet_option(9, 0), ~uint64_t{0}));
    CHECK_EQUAL(kLatestTimeNs, time_of(octet_option(9, 9), ~uint64_t{0}));
    CHECK_EQUAL(kLatestTimeNs, time_of(option(14, INT64_MAX), 5));
    CHECK_EQUAL(0u, time_of(option(14, uint64_t{1} << 63), 5));
    CHECK_EQUAL(0u, time_of(option(14, ~uint64_t{0}), 5));
}

TEST(PcapngReader, takes_off_the_check_sequence_that_interface_or_packet_tells_of) {
    const Octets with = described(octet_option(13, 4));
    const Octets octets(64, 1);
    CHECK_EQUAL(60u, wire_of(with, packet(0, octets)));
    CHECK_EQUAL(64u, wire_of(described(), packet(0, octets)));
    CHECK_EQUAL(60u, wire_of(with + described(), packet(0, octets)));
    CHECK_EQUAL(64u, wire_of(with + described(), packet(1, octets)));
    // In bits, as others understand the option.
    CHECK_EQUAL(62u, wire_of(described(octet_option(13, 16)), packet(0, octets)));
    CHECK_EQUAL(60u, wire_of(described(octet_option(13, 32)), packet(0, octets)));
    CHECK_EQUAL(64u, wire_of(described(octet_option(13, 33)), packet(0, octets)));
    CHECK_EQUAL(64u, wire_of(described(octet_option(13, 255)), packet(0, octets)));
    // Radiotap tells of it itself.
    constexpr uint32_t kRadiotap = 127;
    CHECK_EQUAL(64u, wire_of(described(octet_option(13, 4), kRadiotap), packet(0, octets)));
    CHECK_EQUAL(62u, wire_of(with, packet(0, octets, flags(2 << 5))));
    CHECK_EQUAL(60u, wire_of(with, packet(0, octets, flags(1))));
}

TEST(PcapngReader, a_simple_packet_is_of_the_first_interface_and_has_the_time_before) {
    const Octets simple = any(3, number(4, 4) + Octets{1, 2, 3, 4});
    const Octets cut = any(3, number(1000, 4) + Octets(100, 5));
    const Reading reading = read_packets(begin() + described() + described({}, 101) + simple +
                                         packet(1, {9}, {}, 7) + simple + cut);
    CHECK_EQUAL(4u, reading.packets.size());
    CHECK_EQUAL(0u, reading.packets[0].time_ns);
    CHECK_EQUAL(7'000u, reading.packets[2].time_ns);
    CHECK_TRUE(reading.packets[0].is_untimed);
    CHECK_FALSE(reading.packets[1].is_untimed);
    CHECK_TRUE(reading.packets[2].is_untimed);
    CHECK(reading.packets[2].octets == Octets({1, 2, 3, 4}));
    CHECK(reading.packets[2].link == LinkType::ethernet);
    CHECK_EQUAL(100u, reading.packets[3].octets.size());
    CHECK_EQUAL(1000u, reading.packets[3].wire_octets);
}

TEST(PcapngReader, losses_are_those_of_packets_or_of_statistics_whichever_is_more) {
    const auto lost = [](const Octets& file) { return read_packets(file).packets_lost; };
    const Octets front = begin() + described();
    CHECK_EQUAL(3u, lost(front + packet(0, Octets(5, 1), option(4, 3))));
    CHECK_EQUAL(9u, lost(front + counted(0, option(5, 9))));
    CHECK_EQUAL(7u + 9u, lost(two_interfaces()));
    // Statistics that come again are of all the time.
    CHECK_EQUAL(7u + 12u, lost(two_interfaces() + counted(1, option(7, 12))));
    CHECK_EQUAL(6u, lost(front + old_packet(0, 2) + old_packet(0, 4)));
    CHECK_EQUAL(0u, lost(front + old_packet(0, 0xffff)));
}

TEST(PcapngReader, losses_lie_before_packets_or_anywhere_in_their_section) {
    constexpr uint64_t kSecond = 1'000'000;
    const auto packet_at = [this](uint32_t of, uint64_t seconds, uint64_t lost) {
        return packet(of, {1}, lost == 0 ? Octets{} : option(4, lost), seconds * kSecond);
    };
    const Octets front = begin() + described() + described();
    const Octets first_section = front + packet_at(0, 10, 0) + packet_at(1, 20, 0) +
                                 packet_at(0, 30, 5) + packet_at(1, 40, 0) + packet_at(1, 50, 2);
    const auto check = [](const Octets& file, const std::vector<LossInterval>& expected) {
        const Reading reading = read_packets(file);
        uint64_t sum = 0;
        size_t at = 0;
        for (const LossInterval& loss : reading.losses) {
            CHECK_EQUAL(expected.at(at).from_ns, loss.from_ns);
            CHECK_EQUAL(expected.at(at).to_ns, loss.to_ns);
            CHECK_EQUAL(expected.at(at).lost, loss.lost);
            CHECK_TRUE(loss.reason == LossReason::port_missed);
            sum += loss.lost;
            ++at;
        }
        CHECK_EQUAL(expected.size(), at);
        CHECK_EQUAL(reading.packets_lost, sum);
    };
    const auto span = [](uint64_t from, uint64_t to, uint64_t lost) {
        constexpr uint64_t kNs = 1'000'000'000;
        return LossInterval{from * kNs, to * kNs, 0, LossReason::port_missed, lost};
    };
    check(first_section, {span(10, 30, 5), span(40, 50, 2)});
    // What statistics tell beyond that may have been at any time.
    check(first_section + counted(0, option(5, 6)), {span(10, 30, 5), span(10, 50, 2 + 1)});
    // Before the first packet of an interface: since the section's first.
    check(front + packet_at(0, 10, 0) + packet_at(1, 20, 6), {span(10, 20, 6)});
    check(front + packet_at(1, 20, 6), {span(20, 20, 6)});
    check(front + packet_at(0, 10, 0) + packet_at(1, 20, 0) + counted(1, option(7, 3)),
          {span(10, 20, 3)});
    check(front + packet_at(0, 10, 0) + counted(0, option(5, 1)) + front + packet_at(0, 70, 4) +
              packet_at(0, 60, 1) + counted(0, option(5, 5)),
          {span(10, 10, 1), span(60, 70, 5)});
    check(front + counted(0, option(5, 9)), {span(0, 0, 9)});
}

TEST(PcapngReader, losses_that_cannot_be_are_not_counted) {
    const auto lost = [this](const Octets& behind) {
        return read_packets(begin() + described() + behind).packets_lost;
    };
    CHECK_EQUAL(0u, lost(counted(0, option(5, ~uint64_t{0}))));
    CHECK_EQUAL(0u, lost(counted(1, option(5, 9))));
    CHECK_EQUAL(0u, lost(counted(0, number(5, 2) + number(4, 2) + number(9, 4))));
    CHECK_EQUAL(0u, lost(counted(0, number(5, 2) + number(800, 2) + number(9, 8))));
    const Octets all = packet(0, {}, option(4, uint64_t{1} << 48));
    CHECK_EQUAL(uint64_t{1} << 48, lost(all + all));
    CHECK_EQUAL(uint64_t{1} << 48,
                lost(all + begin() + described() + all + counted(0, option(5, 9))));
}

TEST(PcapngReader, statistics_behind_the_last_packet_say_when_it_ended) {
    const Octets fine = begin() + described(octet_option(9, 9)) + packet(0, {1}, {}, 5);
    // A time's upper half comes first in either order.
    const auto end = [this](uint64_t time) {
        return counted(
            0, number(3, 2) + number(8, 2) + number(time >> 32, 4) + number(time & 0xffffffff, 4));
    };
    for (const Number order : {Number{little}, Number{big}}) {
        number = order;
        const Octets front = begin() + described(octet_option(9, 9)) + packet(0, {1}, {}, 5);
        CHECK_EQUAL(0x123456789u, read_packets(front + end(0x123456789)).end_ns);
    }
    number = little;
    CHECK_EQUAL(0u, read_packets(fine).end_ns);
    CHECK_EQUAL(8u, read_packets(fine + end(7) + end(8)).end_ns);
    CHECK_EQUAL(8u, read_packets(fine + end(8) + end(7)).end_ns);
    CHECK_EQUAL(8u, read_packets(fine + end(8) + any(4, number(0, 4))).end_ns);
    CHECK_EQUAL(0u, read_packets(fine + end(7) + packet(0, {1})).end_ns);
    CHECK_EQUAL(0u, read_packets(fine + end(7) + any(3, number(0, 4))).end_ns);
    CHECK_EQUAL(7u, read_packets(fine + end(7) + counted(0, {})).end_ns);
    // By the clock of its interface.
    CHECK_EQUAL(7'000u, read_packets(begin() + described() + end(7)).end_ns);
}

TEST(PcapngReader, blocks_of_no_use_are_passed_over_however_long) {
    const Octets comment = any(0x0bad, Octets(17 << 20, 'c'));
    const Octets many_options =
        packet(0, {1, 2, 3}, number(1, 2) + number(60'000, 2) + Octets(60'000, 'o') + option(4, 5));
    const Reading reading = read_packets(
        begin() + comment + described() + many_options + comment + packet(0, {4}), 100'000);
    CHECK_EQUAL(2u, reading.packets.size());
    CHECK(reading.packets[0].octets == Octets({1, 2, 3}));
    CHECK(reading.packets[1].octets == Octets({4}));
    CHECK_EQUAL(5u, reading.packets_lost);
    CHECK(reading.is_whole);
}

TEST(PcapngReader, of_a_packet_longer_than_any_the_front_is_read) {
    // What is behind the longest record is passed over, options too.
    const Octets long_packet = packet(0, Octets(1'200'001, 7), option(4, 5));
    const Reading reading =
        read_packets(begin() + described() + long_packet + packet(0, {4}), 50'000);
    CHECK_EQUAL(2u, reading.packets.size());
    CHECK(reading.packets[0].octets == Octets(262'144, 7));
    CHECK_EQUAL(262'144u, reading.packets[0].wire_octets);
    CHECK(reading.packets[1].octets == Octets({4}));
    CHECK_EQUAL(0u, reading.packets_lost);
}

TEST(PcapngReader, what_does_not_follow_the_format_ends_it) {
    const auto check_damage = [this](const std::string& fault, const Octets& behind) {
        const Reading reading =
            read_packets(begin() + described() + packet(0, {1}) + behind + packet(0, {2}));
        CHECK_EQUAL(1u, reading.packets.size());
        CHECK_EQUAL(fault, reading.fault);
        CHECK_FALSE(reading.is_whole);
    };
    const auto lengths = [this](uint32_t type, uint32_t front, uint32_t end, size_t octets) {
        return number(type, 4) + number(front, 4) + Octets(octets, 0) + number(end, 4);
    };
    check_damage("a block of 8 octets", lengths(9, 8, 8, 0));
    check_damage("a block of 13 octets", lengths(9, 13, 13, 4));
    check_damage("a block's two lengths differ", lengths(9, 16, 20, 4));
    check_damage("a block's two lengths differ", lengths(6, 40, 20, 28));
    check_damage("a packet of no length", any(6, Octets(16, 0)));
    check_damage("a packet of no length", any(3, {}));
    check_damage("a packet of interface 1, which is not described", packet(1, {1}));
    check_damage("a packet of interface 1, which is not described", old_packet(1, 0));
    check_damage("a packet that is longer than its block",
                 any(6, Octets(12, 0) + number(0xffffffff, 4) + number(9, 4)));
    check_damage("a packet that is longer than its block",
                 any(6, Octets(12, 0) + number(5, 4) + number(5, 4) + Octets(4, 1)));
    check_damage("a packet that is longer than its block", any(3, number(60, 4) + Octets(4, 1)));
    check_damage("an interface of no link type", any(1, number(1, 4)));
    check_damage("an interface with an option that is longer than its block",
                 described(number(9, 2) + number(200, 2) + Octets{9, 0, 0, 0}));
    check_damage("a section of version 2",
                 any(0x0a0d0d0a, number(0x1a2b3c4d, 4) + number(2, 2) + Octets(10, 0)));
    check_damage("a section of no version", any(0x0a0d0d0a, number(0x1a2b3c4d, 4)));
    check_damage("a section in no known byte order", any(0x0a0d0d0a, Octets(16, 1)));
    check_damage("a packet of interface 0, which is not described",
                 begin() + any(3, number(1, 4) + Octets(4, 1)));
}

TEST(PcapngReader, a_cut_is_told_from_an_end) {
    const Octets file = two_interfaces() + any(0x0bad, Octets(40, 'c'));
    size_t ends = 0;
    for (size_t kept = 24; kept <= file.size(); ++kept) {
        const Reading reading = read_packets(first(file, kept));
        CHECK_EQUAL(std::string(), reading.fault);
        ends += reading.is_whole ? 1 : 0;
    }
    // Behind each of its ten blocks.
    CHECK_EQUAL(10u, ends);
}

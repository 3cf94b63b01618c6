#include "probe/capture_losses.h"

#include <random>

#include "tests/probe/capture_files.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;

namespace {

using Number = Octets (*)(uint64_t, size_t);

uint64_t lost_in(const Octets& file, size_t piece = SIZE_MAX) {
    CaptureLosses losses;
    for (size_t at = 0; at < file.size();) {
        const size_t octets = std::min(piece, file.size() - at);
        losses.add(std::span(file).subspan(at, octets));
        at += octets;
    }
    return losses.packets();
}

}  // namespace

TEST_GROUP(CaptureLosses) {
    Number number = little;

    Octets block(uint32_t type, const Octets& body) const {
        return number(type, 4) + number(body.size() + 12, 4) + body + number(body.size() + 12, 4);
    }

    // Of a version that has no option, and one comment.
    Octets section() const {
        return block(0x0a0d0d0a,
                     number(0x1a2b3c4d, 4) + number(1, 2) + number(0, 2) + number(~uint64_t{0}, 8) +
                         number(1, 2) + number(3, 2) + Octets{'a', 'b', 'c', 0} + number(0, 4));
    }

    Octets interface() const {
        return block(1, number(1, 2) + number(0, 2) + number(262'144, 4));
    }

    Octets option(uint16_t code, uint64_t value) const {
        return number(code, 2) + number(8, 2) + number(value, 8);
    }

    Octets packet(uint32_t of, const Octets& octets, const Octets& options) const {
        const Octets padding((4 - octets.size() % 4) % 4, 0);
        return block(6,
                     number(of, 4) + number(0, 8) + number(octets.size(), 4) +
                         number(octets.size(), 4) + octets + padding + options);
    }

    Octets statistics(uint32_t of, const Octets& options) const {
        return block(5, number(of, 4) + number(0, 8) + options);
    }

    // Of two interfaces the packets' counts are 7 and 4, of the statistics 5 and 9.
    Octets two_interfaces() const {
        return section() + interface() + interface() + packet(0, Octets(5, 1), option(4, 3)) +
               packet(1, Octets(60, 1), option(2, 99) + option(4, 4) + number(0, 4)) +
               packet(0, Octets(3, 1), {}) + packet(0, {}, option(4, 4) + number(0, 4)) +
               statistics(0, option(5, 5)) +
               statistics(1, option(4, 1000) + option(5, 2) + option(7, 7) + number(0, 4));
    }
};

TEST(CaptureLosses, counts_of_packets_and_of_statistics_whichever_is_more) {
    CHECK_EQUAL(3u, lost_in(section() + interface() + packet(0, Octets(5, 1), option(4, 3))));
    CHECK_EQUAL(9u, lost_in(section() + interface() + statistics(0, option(5, 9))));
    CHECK_EQUAL(7u + 9u, lost_in(two_interfaces()));
    // Statistics that come again are of all the time.
    CHECK_EQUAL(7u + 12u, lost_in(two_interfaces() + statistics(1, option(7, 12))));
}

TEST(CaptureLosses, in_pieces_of_any_length_and_either_byte_order) {
    for (const Number order : {Number{little}, Number{big}}) {
        number = order;
        const Octets file = two_interfaces() + two_interfaces();
        for (const size_t piece : {size_t{1}, size_t{3}, size_t{8}, size_t{13}, size_t{100}}) {
            CHECK_EQUAL(2 * (7u + 9u), lost_in(file, piece));
        }
    }
}

TEST(CaptureLosses, packets_of_the_old_kind_have_a_count_too) {
    const auto old_packet = [this](uint16_t lost) {
        return block(2,
                     number(0, 2) + number(lost, 2) + number(0, 8) + number(4, 4) + number(4, 4) +
                         Octets(4, 1));
    };
    CHECK_EQUAL(6u, lost_in(section() + interface() + old_packet(2) + old_packet(4)));
    CHECK_EQUAL(0u, lost_in(section() + interface() + old_packet(0xffff)));
}

TEST(CaptureLosses, what_cannot_be_is_not_counted) {
    const Octets begin = section() + interface();
    CHECK_EQUAL(0u, lost_in(begin + statistics(0, option(5, ~uint64_t{0}))));
    CHECK_EQUAL(0u, lost_in(begin + statistics(1, option(5, 9))));
    CHECK_EQUAL(0u, lost_in(begin + statistics(0, number(5, 2) + number(4, 2) + number(9, 4))));
    CHECK_EQUAL(0u, lost_in(begin + statistics(0, number(5, 2) + number(800, 2) + number(9, 8))));
    // A packet that is longer than its block ends it.
    CHECK_EQUAL(
        3u,
        lost_in(begin + statistics(0, option(5, 3)) +
                block(6, number(0, 8) + number(0, 4) + number(0xffffffff, 4) + number(9, 4)) +
                statistics(0, option(5, 9))));
}

TEST(CaptureLosses, noise_is_read_within_its_bounds) {
    std::mt19937 random(7);
    const Octets whole = two_interfaces();
    for (int i = 0; i < 20'000; ++i) {
        Octets file = whole;
        for (int change = 0; change < 4; ++change) {
            file[random() % file.size()] = static_cast<uint8_t>(random());
        }
        file.resize(random() % (file.size() + 1));
        CHECK(lost_in(file, 1 + random() % 50) <= uint64_t{1} << 48);
    }
}

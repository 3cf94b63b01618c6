#include "probe/segment_sorter.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "tests/support/block_memory.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

TEST_GROUP(SegmentSorter) {
    BlockMemory memory{400};
    ChainPool pool{memory.octets()};
    SegmentSorter sorter{pool};
    SegmentQueue queue{};
    std::string seen;  // what came in order, "|" at a gap

    void add(uint32_t sequence, const std::string& text, uint32_t not_captured = 0) {
        const Segment segment{sequence,
                              {reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                              static_cast<uint32_t>(text.size()) + not_captured,
                              0};
        sorter.add(queue, segment, [this](const Segment& next, bool gap) { note(next, gap); });
    }
    void note(const Segment& next, bool gap) {
        seen.append(gap ? "|" : "");
        seen.append(next.octets.begin(), next.octets.end());
    }
};

TEST(SegmentSorter, segments_in_order_come_at_once) {
    add(100, "ab");
    add(102, "cd");
    STRCMP_EQUAL("abcd", seen.c_str());
}

TEST(SegmentSorter, what_was_sent_again_is_left_out) {
    add(100, "abcd");
    add(100, "xx");
    add(102, "yyef");
    STRCMP_EQUAL("abcdef", seen.c_str());
}

TEST(SegmentSorter, a_late_segment_takes_its_place) {
    add(100, "ab");
    add(104, "ef");
    add(106, "gh");
    add(102, "cd");
    STRCMP_EQUAL("abcdefgh", seen.c_str());
    CHECK_EQUAL(400u, pool.left());
}

TEST(SegmentSorter, held_segments_may_overlap) {
    add(100, "ab");
    add(104, "efgh");
    add(103, "DEF");
    add(102, "c");
    STRCMP_EQUAL("abcDEFgh", seen.c_str());
}

TEST(SegmentSorter, numbers_wrap_around) {
    add(0xfffffffe, "ab");
    add(2, "ef");
    add(0, "cd");
    STRCMP_EQUAL("abcdef", seen.c_str());
}

TEST(SegmentSorter, a_hole_is_given_up_when_too_many_wait) {
    add(100, "ab");
    for (uint32_t i = 0; i < kHeldSegments; ++i) {
        add(200 + 2 * i, "xy");
    }
    STRCMP_EQUAL("ab", seen.c_str());
    add(200 + 2 * kHeldSegments, "zz");
    std::string expected = "ab|";
    for (uint32_t i = 0; i < kHeldSegments; ++i) {
        expected += "xy";
    }
    STRCMP_EQUAL((expected + "zz").c_str(), seen.c_str());
    CHECK_EQUAL(400u, pool.left());
}

TEST(SegmentSorter, a_hole_is_given_up_when_too_much_waits) {
    add(100, "ab");
    add(200, std::string(kHeldOctets, 'x'));
    add(200 + kHeldOctets, "y");
    CHECK(seen == "ab|" + std::string(kHeldOctets, 'x') + "y");
}

TEST(SegmentSorter, a_window_of_ten_full_frames_may_come_with_its_first_last) {
    constexpr uint32_t kFrame = 1448;
    std::string expected;
    sorter.begin(queue, 100);
    for (const uint32_t i : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0}) {
        add(100 + i * kFrame, std::string(kFrame, static_cast<char>('a' + i)));
    }
    for (uint32_t i = 0; i < 12; ++i) {
        expected += std::string(kFrame, static_cast<char>('a' + i));
    }
    CHECK(seen == expected);
    CHECK_EQUAL(400u, pool.left());
    CHECK_EQUAL(0u, queue.held_octets);
}

TEST(SegmentSorter, what_waits_longer_by_some_takes_the_place_of_none) {
    add(100, "ab");
    add(104, "ef");
    add(104, "efgh");
    add(104, "e");
    add(102, "cd");
    STRCMP_EQUAL("abcdefgh", seen.c_str());
    CHECK_EQUAL(400u, pool.left());
}

TEST(SegmentSorter, a_hole_is_given_up_at_the_end) {
    add(100, "ab");
    add(110, "gh");
    add(104, "ef");
    sorter.finish(queue, [this](const Segment& next, bool gap) { note(next, gap); });
    STRCMP_EQUAL("ab|ef|gh", seen.c_str());
    CHECK_EQUAL(400u, pool.left());
}

TEST(SegmentSorter, without_blocks_nothing_waits) {
    while (pool.left() != 0) {
        pool.take();
    }
    add(100, "ab");
    add(104, "ef");
    STRCMP_EQUAL("ab|ef", seen.c_str());
}

TEST(SegmentSorter, what_was_not_captured_is_a_gap) {
    add(100, "ab", 2);
    add(104, "ef");
    add(106, "gh");
    STRCMP_EQUAL("ab|efgh", seen.c_str());
}

TEST(SegmentSorter, a_number_far_off_counts_when_the_next_one_goes_on_behind_it) {
    add(100, "ab");
    add(100 + 0x40000000, "cd");
    add(102 + 0x40000000, "ef");
    add(104 + 0x40000000, "gh");
    STRCMP_EQUAL("ab|efgh", seen.c_str());
}

TEST(SegmentSorter, a_number_far_off_alone_is_passed_over) {
    add(100, "ab");
    add(100 + 0x40000000, "x");
    add(102, "cd");
    // What came between: they do not follow each other.
    add(101 + 0x40000000, "x");
    add(104, "ef");
    add(100 - 0x40000000, "x");
    add(300 - 0x40000000, "x");
    add(106, "gh");
    STRCMP_EQUAL("abcdefgh", seen.c_str());
}

TEST(SegmentSorter, a_connection_that_begins_forgets_what_waits) {
    add(100, "ab");
    add(104, "ef");
    sorter.begin(queue, 500);
    add(502, "cd");
    add(500, "ab");
    STRCMP_EQUAL("ababcd", seen.c_str());
}

TEST(SegmentSorter, nearly_sorted_segments_give_the_stream) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    for (int round = 0; round < 200; ++round) {
        std::string stream(400, '\0');
        std::generate(stream.begin(), stream.end(), [&] { return "abcdef"[random() % 6]; });
        std::vector<std::pair<uint32_t, uint32_t>> pieces;  // begin and length
        for (uint32_t at = 0; at < stream.size();) {
            const auto length = std::min<uint32_t>(1 + static_cast<uint32_t>(random() % 40),
                                                   static_cast<uint32_t>(stream.size()) - at);
            pieces.emplace_back(at, length);
            if (random() % 4 == 0) {
                pieces.emplace_back(at, length);
            }
            at += length;
        }
        for (size_t i = 1; i + 3 < pieces.size(); i += 3) {
            std::shuffle(pieces.begin() + static_cast<ptrdiff_t>(i),
                         pieces.begin() + static_cast<ptrdiff_t>(i + 3),
                         random);
        }
        seen.clear();
        sorter.begin(queue, 0xffffff00);
        for (const auto& [begin, length] : pieces) {
            add(0xffffff00 + begin, stream.substr(begin, length));
        }
        if (seen != stream) {
            std::printf("seed %u\n", seed);
        }
        CHECK(seen == stream);
        CHECK_EQUAL(400u, pool.left());
    }
}

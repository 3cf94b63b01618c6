#include "probe/loss_intervals.h"

#include <numeric>

#include "tests/support/cpputest.h"
#include "tests/support/times.h"

using namespace curlew::probe;
using curlew::tests::kSecond;

namespace {

uint64_t lost_in(const LossIntervals& intervals, LossReason reason) {
    return std::accumulate(
        intervals.begin(), intervals.end(), uint64_t{0}, [&](uint64_t sum, const auto& interval) {
            return sum + (interval.reason == reason ? interval.lost : 0);
        });
}

}  // namespace

TEST_GROUP(LossIntervals) {
    LossIntervals intervals;

    size_t count() const {
        return static_cast<size_t>(intervals.end() - intervals.begin());
    }
};

TEST(LossIntervals, what_lies_within_a_second_is_one) {
    intervals.note(LossReason::port_missed, 10 * kSecond, 11 * kSecond, 5);
    intervals.note(LossReason::port_missed, 12 * kSecond - 1, 12 * kSecond, 7);
    CHECK_EQUAL(1u, count());
    CHECK_EQUAL(10 * kSecond, intervals.begin()->from_ns);
    CHECK_EQUAL(12 * kSecond, intervals.begin()->to_ns);
    CHECK_EQUAL(12u, intervals.begin()->lost);
    intervals.note(LossReason::port_missed, 13 * kSecond, 14 * kSecond, 1);
    CHECK_EQUAL(2u, count());
}

TEST(LossIntervals, reasons_are_apart) {
    intervals.note(LossReason::port_missed, 10, 20, 5);
    intervals.note(LossReason::hand_over, 10, 20, 6);
    intervals.note(LossReason::port_missed, 20, 30, 7);
    CHECK_EQUAL(2u, count());
    CHECK_EQUAL(12u, lost_in(intervals, LossReason::port_missed));
    CHECK_EQUAL(6u, lost_in(intervals, LossReason::hand_over));
}

TEST(LossIntervals, a_clock_that_goes_back_loses_nothing) {
    intervals.note(LossReason::port_missed, 100 * kSecond, 101 * kSecond, 1);
    intervals.note(LossReason::port_missed, 10 * kSecond, 11 * kSecond, 2);
    CHECK_EQUAL(2u, count());
    CHECK_EQUAL(3u, lost_in(intervals, LossReason::port_missed));
}

TEST(LossIntervals, of_too_many_the_closest_become_one_and_none_is_forgotten) {
    uint64_t at = kSecond;
    for (uint64_t i = 0; i < 1000; ++i) {
        // Ever further apart, but for one pair.
        at += i == 20 ? 2 * kSecond : (10 + i) * kSecond;
        intervals.note(LossReason::port_missed, at, at + 1, i + 1);
        CHECK(count() <= LossIntervals::kMost);
    }
    intervals.note(LossReason::outbox, 5, 6, 3);
    CHECK_EQUAL(500'500u, lost_in(intervals, LossReason::port_missed));
    CHECK_EQUAL(3u, lost_in(intervals, LossReason::outbox));
    // The youngest are as they were: they lie furthest apart.
    const LossInterval* last = intervals.end() - 2;
    CHECK_EQUAL(1000u, last->lost);
    CHECK_EQUAL(at, last->from_ns);
    CHECK_EQUAL(at + 1, last->to_ns);
}

TEST(LossIntervals, too_many_for_a_message_become_one_for_each_queue_and_reason) {
    std::vector<LossInterval> losses;
    for (uint32_t i = 0; i < 30; ++i) {
        losses.push_back({i * 10, i * 10 + 5, i % 3, LossReason::port_missed, 1});
    }
    limit_losses(losses, 30);
    CHECK_EQUAL(30u, losses.size());
    limit_losses(losses, 29);
    CHECK_EQUAL(3u, losses.size());
    CHECK_EQUAL(20u, losses[2].from_ns);
    CHECK_EQUAL(10u, losses[2].lost);
    CHECK_EQUAL(295u, losses[2].to_ns);
}

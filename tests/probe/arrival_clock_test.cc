#include "probe/arrival_clock.h"

#include "tests/support/cpputest.h"
#include "tests/support/times.h"

namespace curlew::probe {

using tests::kSecond;

namespace {

constexpr uint64_t kClockStart = 1'700'000'000 * kSecond;

}  // namespace

TEST_GROUP(ArrivalClock) {
    ArrivalClock clock;

    void at(uint64_t second, uint64_t expected_second) {
        CHECK_EQUAL(kClockStart + expected_second * kSecond,
                    clock.advance(kClockStart + second * kSecond));
    }
};

TEST(ArrivalClock, is_the_latest_time) {
    at(0, 0);
    at(59, 59);
    at(57, 59);
    at(60, 60);
}

TEST(ArrivalClock, a_single_time_far_ahead_is_not_believed) {
    at(0, 0);
    at(86'400, 0);
    at(1, 1);
    at(86'402, 1);
    at(2, 2);
}

TEST(ArrivalClock, at_the_end_a_time_ahead_is_believed_that_nothing_spoke_against) {
    at(0, 0);
    at(120, 0);
    CHECK_EQUAL(kClockStart + 120 * kSecond, clock.last_ns());
    CHECK_EQUAL(kClockStart, clock.advance(kClockStart + 120 * kSecond + 1));
    CHECK_EQUAL(kClockStart + 120 * kSecond + 1, clock.last_ns());
    at(1, 1);
    CHECK_EQUAL(kClockStart + kSecond, clock.last_ns());
}

TEST(ArrivalClock, what_goes_on_ahead_is_believed_after_a_while) {
    at(0, 0);
    CHECK_EQUAL(kClockStart, clock.advance(kClockStart + 3600 * kSecond));
    CHECK_EQUAL(kClockStart, clock.advance(kClockStart + 3600 * kSecond + kSecond / 2));
    at(3601, 3601);
    at(3602, 3602);
}

TEST(ArrivalClock, of_packets_far_apart_it_is_one_behind) {
    at(0, 0);
    at(120, 0);
    at(240, 120);
    at(360, 240);
}

TEST(ArrivalClock, a_second_clock_that_is_fast_or_slow_moves_nothing) {
    for (uint64_t second = 0; second < 10; ++second) {
        at(3600 + second, 3600 + second);
        at(second, 3600 + second);
        at(7300 + second, 3600 + second);
    }
}

TEST(ArrivalClock, stands_still_while_times_are_behind) {
    at(3600, 3600);
    for (uint64_t second = 0; second < 3600; ++second) {
        at(second, 3600);
    }
    at(3601, 3601);
}

}  // namespace curlew::probe

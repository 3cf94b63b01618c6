#include "dpdk_port/device_clock.h"

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

constexpr uint64_t kFirstStamp = 1'700'000'000'000'000'000;

}  // namespace

TEST_GROUP(DeviceClock) {
    // Two ticks a nanosecond, read a millisecond apart.
    DeviceClock clock{{1'000'000, kFirstStamp}, {3'000'000, kFirstStamp + 1'000'000}};
};

TEST(DeviceClock, goes_on_at_the_rate_of_its_two_readings) {
    CHECK_EQUAL(kFirstStamp, clock.time_ns(1'000'000));
    CHECK_EQUAL(kFirstStamp + 500'000, clock.time_ns(2'000'000));
    CHECK_EQUAL(kFirstStamp + 5'000'000, clock.time_ns(11'000'000));
}

TEST(DeviceClock, tells_times_before_its_first_reading) {
    CHECK_EQUAL(kFirstStamp - 500'000, clock.time_ns(0));
}

TEST(DeviceClock, makes_up_for_an_error_over_the_next_interval) {
    // The device is slow: a second of two billion ticks was in truth 10 us longer.
    const uint64_t second = 3'000'000 + 2'000'000'000;
    const uint64_t truth = kFirstStamp + 1'000'000 + 1'000'010'000;
    clock.calibrate({second, truth});
    CHECK_EQUAL(truth - 10'000, clock.time_ns(second));
    // At the rate now known another second takes 1.00001 s, and the 10 us are made up for.
    CHECK(clock.time_ns(second + 2'000'000'000) - (truth + 1'000'010'000) + 1'000 < 2'000);
}

TEST(DeviceClock, never_goes_backwards_whatever_it_is_told) {
    uint64_t ticks = 3'000'000;
    uint64_t last = clock.time_ns(ticks);
    for (const int64_t error : {900'000, -900'000, 300'000'000, -400'000'000, 0, -1, 800'000'000}) {
        for (int step = 0; step < 100; ++step) {
            ticks += 20'000'000;
            const uint64_t now = clock.time_ns(ticks);
            CHECK(now > last);
            last = now;
        }
        clock.calibrate({ticks, last + static_cast<uint64_t>(error)});
        CHECK(clock.time_ns(ticks) >= last);
    }
}

TEST(DeviceClock, times_on_both_sides_of_a_reading_are_in_order) {
    const uint64_t second = 3'000'000 + 2'000'000'000;
    clock.calibrate({second, kFirstStamp + 1'000'000 + 1'000'400'000});
    uint64_t last = clock.time_ns(second - 100);
    for (uint64_t ticks = second - 99; ticks < second + 100; ++ticks) {
        CHECK(clock.time_ns(ticks) >= last);
        last = clock.time_ns(ticks);
    }
}

TEST(DeviceClock, follows_a_step_of_the_system_at_once) {
    const uint64_t second = 3'000'000 + 2'000'000'000;
    clock.calibrate({second, kFirstStamp - 3'600'000'000'000});
    CHECK_EQUAL(kFirstStamp - 3'600'000'000'000, clock.time_ns(second));
    CHECK_EQUAL(kFirstStamp - 3'600'000'000'000 + 500'000, clock.time_ns(second + 1'000'000));
}

TEST(DeviceClock, ignores_a_reading_that_is_not_later) {
    clock.calibrate({3'000'000, kFirstStamp + 77'000'000});
    CHECK_EQUAL(kFirstStamp + 5'000'000, clock.time_ns(11'000'000));
}

}  // namespace curlew::dpdk_port

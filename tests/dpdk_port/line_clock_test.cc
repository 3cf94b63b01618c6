#include "dpdk_port/line_clock.h"

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kStart = 1'700'000'000 * kSecond;

LineClock::Reading now;

LineClock::Reading read_test() noexcept {
    return now;
}

}  // namespace

TEST_GROUP(LineClock) {
    LineClock clock{{kStart, 5 * kSecond}, read_test};

    void setup() override {
        now = {kStart, 5 * kSecond};
    }

    static void pass(uint64_t ns) {
        now.wall_ns += ns;
        now.steady_ns += ns;
    }
};

TEST(LineClock, begins_with_the_wall_and_goes_on_with_the_steady_clock) {
    CHECK_EQUAL(kStart, clock.now_ns());
    pass(3 * kSecond);
    CHECK_EQUAL(kStart + 3 * kSecond, clock.now_ns());
    CHECK_EQUAL(kStart + 3 * kSecond, clock.last_ns());
    CHECK_EQUAL(kStart + 2 * kSecond, clock.time_of_stamp(kStart + 2 * kSecond));
    CHECK_EQUAL(0u, clock.steps().count);
}

TEST(LineClock, a_step_of_an_hour_or_a_day_changes_no_time_and_is_remembered) {
    const int64_t steps[] = {static_cast<int64_t>(kHour),
                             -static_cast<int64_t>(kHour),
                             24 * static_cast<int64_t>(kHour),
                             -48 * static_cast<int64_t>(kHour),
                             static_cast<int64_t>(LineClock::kLeastStepNs)};
    uint64_t passed = 0;
    int64_t by = 0;
    for (const int64_t step : steps) {
        pass(kSecond);
        passed += kSecond;
        now.wall_ns += static_cast<uint64_t>(step);
        by += step;
        CHECK_EQUAL(kStart + passed, clock.now_ns());
        pass(kSecond);
        passed += kSecond;
        CHECK_EQUAL(kStart + passed, clock.now_ns());
        CHECK_EQUAL(kStart + passed, clock.time_of_stamp(now.wall_ns));
    }
    CHECK_EQUAL(5u, clock.steps().count);
    int64_t told = 0;
    for (size_t i = 0; i < clock.steps().count; ++i) {
        CHECK_EQUAL(kStart + (2 * i + 1) * kSecond, clock.steps().steps[i].at_ns);
        told += clock.steps().steps[i].by_ns;
    }
    CHECK_EQUAL(by, told);
}

TEST(LineClock, a_packet_that_waited_over_a_step_keeps_its_time) {
    clock.now_ns();
    pass(kSecond);
    const uint64_t stamp = now.wall_ns - kSecond / 10;
    now.wall_ns -= kHour;
    clock.now_ns();
    CHECK_EQUAL(stamp, clock.time_of_stamp(stamp));
    CHECK_EQUAL(kStart + kSecond, clock.time_of_stamp(now.wall_ns));
}

TEST(LineClock, what_lies_between_two_readings_is_no_step) {
    now.wall_ns += LineClock::kLeastStepNs - 1;
    clock.now_ns();
    now.wall_ns = 0;
    now.steady_ns += kSecond;
    CHECK_EQUAL(kStart + kSecond, clock.now_ns());
    CHECK_EQUAL(0u, clock.steps().count);
}

TEST(LineClock, more_steps_than_are_remembered_are_one_in_the_end) {
    int64_t by = 0;
    for (int i = 0; i < 100; ++i) {
        pass(kSecond);
        now.wall_ns += (i + 1) * kSecond;
        by += (i + 1) * static_cast<int64_t>(kSecond);
        clock.now_ns();
    }
    CHECK_EQUAL(probe::ClockSteps::kMost, clock.steps().count);
    int64_t told = 0;
    for (const probe::ClockStep& step : clock.steps().steps) {
        told += step.by_ns;
    }
    CHECK_EQUAL(by, told);
    CHECK_EQUAL(kStart + 100 * kSecond, clock.steps().steps.back().at_ns);
}

TEST(LineClock, the_systems_clocks_are_read_together) {
    const LineClock::Reading first = LineClock::read_system();
    const LineClock::Reading second = LineClock::read_system();
    CHECK(second.steady_ns >= first.steady_ns);
    CHECK(first.wall_ns == 0 || first.wall_ns > kStart);
}

}  // namespace curlew::dpdk_port

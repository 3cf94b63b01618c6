#include "collector/spread.h"

#include <cstdint>
#include <vector>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

__extension__ typedef unsigned __int128 Wide;

proto::Spread spread_of(const std::vector<uint64_t>& values) {
    proto::Spread spread;
    Wide squares = 0;
    uint64_t sum = 0;
    for (const uint64_t value : values) {
        squares += static_cast<Wide>(value) * value;
        sum += value;
    }
    spread.set_count(values.size());
    spread.set_sum(sum);
    spread.set_squares_low(static_cast<uint64_t>(squares));
    spread.set_squares_high(static_cast<uint64_t>(squares >> 64));
    return spread;
}

void check_numbers(double mean, double deviation, const std::vector<uint64_t>& values) {
    const SpreadNumbers numbers = spread_numbers(spread_of(values));
    DOUBLES_EQUAL(mean, numbers.mean, mean * 1e-15);
    DOUBLES_EQUAL(deviation, numbers.deviation, deviation * 1e-15);
}

proto::Spread plausible() {
    proto::Spread spread = spread_of({3, 20});
    spread.set_minimum(3);
    spread.set_maximum(20);
    for (const uint32_t bin : {1, 1, 0, 0, 0, 0, 0, 0}) {
        spread.add_histogram(bin);
    }
    return spread;
}

}  // namespace

TEST_GROUP(Spread){};

TEST(Spread, mean_and_deviation_of_the_sample) {
    check_numbers(5, 2.13808993529939517, {2, 4, 4, 4, 5, 5, 7, 9});
    check_numbers(7, 0, {7});
    check_numbers(7, 0, {7, 7, 7});
    check_numbers(0, 0, {0, 0});
    check_numbers(0.5, 0.707106781186547524, {0, 1});
}

TEST(Spread, a_deviation_far_below_the_mean_keeps_its_digits) {
    // By sums of doubles these come out as 0 or as nonsense.
    const uint64_t far = 1'000'000'000'000'000'000;
    check_numbers(1e18, 1, {far - 1, far, far + 1});
    check_numbers(1e18, 0.577350269189625765, {far, far, far + 1});
}

TEST(Spread, the_largest_gaps_do_not_run_over) {
    // 0 and 2^64 - 1.
    check_numbers(9223372036854775807.5, 13043817825332782211.3, {0, UINT64_MAX});
}

TEST(Spread, sums_that_contradict_each_other_give_finite_numbers) {
    proto::Spread spread;
    spread.set_count(uint64_t{1} << 53);
    for (const uint64_t number : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
        spread.set_sum(number);
        spread.set_squares_low(UINT64_MAX - number);
        spread.set_squares_high(UINT64_MAX - number);
        const SpreadNumbers numbers = spread_numbers(spread);
        CHECK(numbers.mean <= 1.9e19);
        CHECK(numbers.deviation >= 0);
        CHECK(numbers.deviation <= 1.9e19);
    }
}

TEST(Spread, what_a_probe_sends_is_plausible) {
    CHECK_TRUE(is_plausible(plausible()));
    CHECK_TRUE(is_plausible(proto::Spread{}));
}

TEST(Spread, a_histogram_holds_each_value_in_one_of_eight_bins) {
    proto::Spread spread = plausible();
    spread.set_count(3);
    CHECK_FALSE(is_plausible(spread));
    spread = plausible();
    spread.add_histogram(0);
    CHECK_FALSE(is_plausible(spread));
    spread = plausible();
    spread.clear_histogram();
    CHECK_FALSE(is_plausible(spread));
}

TEST(Spread, counts_and_bounds_have_limits) {
    proto::Spread spread = plausible();
    spread.set_minimum(21);
    CHECK_FALSE(is_plausible(spread));
    spread = plausible();
    spread.set_count((uint64_t{1} << 53) + 1);
    CHECK_FALSE(is_plausible(spread));
}

}  // namespace curlew::collector

#include "proto/settled_clock.h"

#include "tests/support/cpputest.h"

using curlew::proto::SettledClock;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_GROUP(SettledClock) {
    SettledClock clock;
    SettledClock::Steady steady = SettledClock::Steady() + hours(5);
    SettledClock::Wall wall = SettledClock::Wall() + hours(500'000);

    bool is_settled_after(std::chrono::nanoseconds pause) {
        steady += pause;
        wall += std::chrono::duration_cast<SettledClock::Wall::duration>(pause);
        return clock.is_settled(steady, wall);
    }
};

TEST(SettledClock, is_trusted_after_ten_minutes) {
    CHECK_FALSE(is_settled_after(seconds(0)));
    CHECK_FALSE(is_settled_after(minutes(9)));
    CHECK_TRUE(is_settled_after(minutes(1)));
    CHECK_TRUE(is_settled_after(hours(1000)));
}

TEST(SettledClock, is_not_when_it_was_set) {
    CHECK_FALSE(is_settled_after(seconds(0)));
    CHECK_TRUE(is_settled_after(hours(1)));
    wall += hours(24 * 400);
    CHECK_FALSE(is_settled_after(seconds(1)));
    wall -= hours(24 * 400);
    CHECK_FALSE(is_settled_after(minutes(9)));
    CHECK_TRUE(is_settled_after(minutes(10)));
}

TEST(SettledClock, a_little_does_not_matter) {
    CHECK_FALSE(is_settled_after(seconds(0)));
    wall -= seconds(30);
    CHECK_TRUE(is_settled_after(minutes(10)));
}

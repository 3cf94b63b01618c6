#include "probe/stage_clock.h"

#include <numeric>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

uint64_t ticks(const StageClock& clock, Stage stage) {
    return clock.ticks()[static_cast<size_t>(stage)];
}

// Until the counter has moved on.
void pass_time(StageClock& clock, Stage stage) {
    const uint64_t before = ticks(clock, stage);
    while (ticks(clock, stage) == before) {
        clock.enter(stage);
    }
}

}  // namespace

TEST_GROUP(StageClock){};

TEST(StageClock, time_is_of_the_stage_that_was_entered_last) {
    StageClock clock;
    clock.start();
    clock.enter(Stage::parse);
    pass_time(clock, Stage::parse);
    clock.stop();
    CHECK(ticks(clock, Stage::parse) > 0);
    LONGS_EQUAL(0, ticks(clock, Stage::update));
}

TEST(StageClock, a_turn_gives_time_back_to_the_stage_around_it) {
    StageClock clock;
    clock.start();
    clock.enter(Stage::update);
    {
        const StageTurn turn(&clock, Stage::inspect);
        pass_time(clock, Stage::inspect);
    }
    CHECK(Stage::update == clock.enter(Stage::receive));
    CHECK(ticks(clock, Stage::inspect) > 0);
}

TEST(StageClock, nothing_is_counted_before_the_start_or_after_the_stop) {
    StageClock clock;
    const auto sum = [&clock] {
        return std::accumulate(clock.ticks().begin(), clock.ticks().end(), uint64_t{0});
    };
    clock.enter(Stage::parse);
    clock.enter(Stage::update);
    LONGS_EQUAL(0, sum());
    clock.start();
    pass_time(clock, Stage::parse);
    clock.stop();
    const uint64_t stopped = sum();
    clock.enter(Stage::parse);
    clock.enter(Stage::update);
    LONGS_EQUAL(stopped, sum());
}

TEST(StageClock, there_may_be_none) {
    enter(nullptr, Stage::parse);
    const StageTurn turn(nullptr, Stage::inspect);
}

#include "probe/expiry_wheel.h"

#include <set>
#include <vector>

#include "tests/support/cpputest.h"

using namespace curlew::probe;

TEST_GROUP(ExpiryWheel) {
    static constexpr uint64_t kSecond = 1'000'000'000;
    std::vector<FlowHot> flows{std::vector<FlowHot>(64)};
    ExpiryWheel wheel;

    std::multiset<FlowIndex> due(uint64_t now) {
        std::multiset<FlowIndex> taken;
        for (FlowIndex flow = wheel.take_due(flows.data(), now); flow != kNoFlow;
             flow = wheel.take_due(flows.data(), now)) {
            taken.insert(flow);
        }
        return taken;
    }
};

TEST(ExpiryWheel, a_flow_comes_due_after_its_time_and_once) {
    wheel.add(flows.data(), 3, 10 * kSecond);
    CHECK(due(8 * kSecond).empty());
    CHECK((due(13 * kSecond) == std::multiset<FlowIndex>{3}));
    CHECK(due(600 * kSecond).empty());
}

TEST(ExpiryWheel, a_removed_flow_never_comes_due) {
    for (FlowIndex flow = 0; flow < 5; ++flow) {
        wheel.add(flows.data(), flow, 10 * kSecond);
    }
    wheel.remove(flows.data(), 4);  // the head of its slot
    wheel.remove(flows.data(), 2);
    wheel.remove(flows.data(), 0);
    CHECK((due(20 * kSecond) == std::multiset<FlowIndex>{1, 3}));
}

TEST(ExpiryWheel, a_flow_may_be_removed_while_its_slot_is_worked_off) {
    for (FlowIndex flow = 0; flow < 4; ++flow) {
        wheel.add(flows.data(), flow, 10 * kSecond);
    }
    const FlowIndex first = wheel.take_due(flows.data(), 20 * kSecond);
    CHECK(first != kNoFlow);
    for (FlowIndex flow = 0; flow < 4; ++flow) {
        if (flow != first) {
            wheel.remove(flows.data(), flow);
        }
    }
    CHECK(due(20 * kSecond).empty());
}

TEST(ExpiryWheel, a_jump_of_years_looks_at_every_flow) {
    for (FlowIndex flow = 0; flow < 64; ++flow) {
        wheel.add(flows.data(), flow, (flow + 1) * 10 * kSecond);
    }
    CHECK_EQUAL(64u, due(1'500'000'000 * kSecond).size());
}

TEST(ExpiryWheel, what_is_due_past_its_end_is_looked_at_at_its_end) {
    wheel.add(flows.data(), 1, ~uint64_t{0});
    CHECK(due(500 * kSecond).empty());
    CHECK_EQUAL(1u, due(560 * kSecond).size());
}

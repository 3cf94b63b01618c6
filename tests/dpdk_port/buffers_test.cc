#include "dpdk_port/buffers.h"

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

TEST_GROUP(Buffers){};

TEST(Buffers, hold_twice_the_descriptors_and_a_burst_of_long_packets) {
    const BufferPlan plan = plan_buffers({.descriptors = 4096});
    CHECK_EQUAL(4096, plan.descriptors);
    CHECK_EQUAL(8192 + 2048 + 512, plan.buffers);
    CHECK_EQUAL(2048 + 128, plan.buffer_octets);
    CHECK(!plan.was_cut);
}

TEST(Buffers, descriptors_are_a_power_of_two_within_bounds) {
    CHECK_EQUAL(1024, plan_buffers({.descriptors = 1000}).descriptors);
    CHECK_EQUAL(256, plan_buffers({.descriptors = 0}).descriptors);
    CHECK_EQUAL(32768, plan_buffers({.descriptors = 1'000'000}).descriptors);
}

TEST(Buffers, are_cut_for_want_of_memory) {
    const BufferPlan plan =
        plan_buffers({.descriptors = 4096, .queues = 2, .free_octets = 32 << 20});
    CHECK(plan.was_cut);
    CHECK_EQUAL(1024, plan.descriptors);
}

TEST(Buffers, are_never_cut_below_what_the_driver_needs) {
    const BufferPlan plan =
        plan_buffers({.descriptors = 4096, .fewest_descriptors = 2048, .free_octets = 1 << 20});
    CHECK_EQUAL(2048, plan.descriptors);
}

TEST(Buffers, take_an_endless_capture_whole) {
    const BufferPlan plan =
        plan_buffers({.descriptors = 256, .longest_octets = 9014, .held_packets = 100'000});
    CHECK_EQUAL(9014 + 128, plan.buffer_octets);
    CHECK_EQUAL(512 + 2048 + 512 + 100'000, plan.buffers);
    CHECK_EQUAL(65535, plan_buffers({.longest_octets = 262'144}).buffer_octets);
}

}  // namespace curlew::dpdk_port

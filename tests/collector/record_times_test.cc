#include "collector/record_times.h"

#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr uint64_t kClock = 99;

}  // namespace

TEST_GROUP(RecordTimes) {
    RecordTimes times{kClock};
    TestProbe probe;
};

TEST(RecordTimes, are_those_of_the_last_packets) {
    const proto::ReceivedFrame frame =
        probe.batch({live_flow(1, 5000), live_flow(2, UINT64_MAX), live_flow(3, 7000)});
    CHECK(times.of(view_of(frame)) == (std::vector<uint64_t>{5000, UINT64_MAX, 7000}));
}

TEST(RecordTimes, of_a_batch_that_the_decoder_refuses_are_the_same) {
    CHECK(times.of(view_of(probe.refused_batch(1, 5000))) == std::vector<uint64_t>{5000});
}

TEST(RecordTimes, of_a_record_without_one_is_zero) {
    proto::FlowSummary flow = live_flow(1, 5000);
    flow.clear_flow_end_ns();
    CHECK(times.of(view_of(probe.batch({flow}))) == std::vector<uint64_t>{0});
}

TEST(RecordTimes, of_octets_that_are_no_batch_are_the_clocks) {
    proto::ReceivedFrame frame = probe.batch({live_flow(1, 5000), live_flow(2, 6000)});
    proto::FrameView view = view_of(frame);
    view.body = view.body.first(view.body.size() - 1);
    CHECK(times.of(view) == (std::vector<uint64_t>{kClock, kClock}));
    times.set_clock(100);
    view = view_of(frame);
    view.header.record_count = 1;
    CHECK(times.of(view) == std::vector<uint64_t>{100});
    view.header.record_count = 3;
    CHECK(times.of(view) == (std::vector<uint64_t>{100, 100, 100}));
}

}  // namespace curlew::collector

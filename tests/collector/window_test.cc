#include "collector/window.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

// 2018-12-24 14:30:51.869217345 UTC.
constexpr uint64_t kTime = 1'545'661'851'869'217'345;

}  // namespace

TEST_GROUP(Window){};

TEST(Window, ten_minutes_begin_at_every_tenth_minute) {
    const Window window = window_of(kTime, 10);
    CHECK_EQUAL(1'545'661'800'000'000'000, window.from_ns);
    CHECK_EQUAL(1'545'662'400'000'000'000, window.to_ns);
}

TEST(Window, its_first_nanosecond_is_in_it_and_its_end_is_not) {
    const Window window = window_of(kTime, 10);
    CHECK(window_of(window.from_ns, 10) == window);
    CHECK(window_of(window.to_ns - 1, 10) == window);
    CHECK_EQUAL(window.to_ns, window_of(window.to_ns, 10).from_ns);
}

TEST(Window, of_no_minutes_holds_everything) {
    CHECK(window_of(kTime, 0) == (Window{0, UINT64_MAX}));
    CHECK(window_of(0, 0) == window_of(UINT64_MAX, 0));
}

TEST(Window, at_the_end_of_time_does_not_wrap) {
    CHECK_EQUAL(UINT64_MAX, window_of(UINT64_MAX, 10).to_ns);
    CHECK(window_of(UINT64_MAX, 10).from_ns < UINT64_MAX);
    CHECK(window_of(kTime, UINT32_MAX) == (Window{0, UINT64_MAX}));
}

TEST(Window, is_written_in_utc) {
    STRCMP_EQUAL("20181224T143051Z", window_stamp(kTime).c_str());
    STRCMP_EQUAL("2018-12-24T14:30:51Z", utc_text(kTime).c_str());
    STRCMP_EQUAL("19700101T000000Z", window_stamp(0).c_str());
    STRCMP_EQUAL("25540721T233433Z", window_stamp(UINT64_MAX).c_str());
}

TEST(Window, names_a_dataset_with_its_probe) {
    STRCMP_EQUAL("attic-2-20181224T143000Z",
                 live_dataset_name("attic-2", window_of(kTime, 10).from_ns).c_str());
}

}  // namespace curlew::collector

#include "probe/line_watch.h"

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_GROUP(LineWatch) {
    bool first = true;
    bool second = true;
    int asked = 0;
    LineWatch watch{{{"eth1",
                      [this] {
                          ++asked;
                          return first;
                      },
                      {}},
                     {"eth2", [this] { return second; }, {}}}};
    LineWatch::Clock::time_point now = LineWatch::Clock::time_point() + seconds(1000);

    std::string told_after(milliseconds pause) {
        now += pause;
        std::string all;
        for (const std::string& sentence : watch.look(now)) {
            all += sentence + "\n";
        }
        return all;
    }
};

TEST(LineWatch, says_what_changed_and_of_which) {
    STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    second = false;
    STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    STRCMP_EQUAL("eth2: the line is down, nothing comes from there\n",
                 told_after(seconds(1)).c_str());
    STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    first = false;
    second = true;
    STRCMP_EQUAL("eth2: the line is up again\n", told_after(seconds(1)).c_str());
    STRCMP_EQUAL("eth1: the line is down, nothing comes from there\n",
                 told_after(seconds(1)).c_str());
}

TEST(LineWatch, a_line_that_is_down_at_the_start_is_told) {
    first = false;
    STRCMP_EQUAL("", told_after({}).c_str());
    STRCMP_EQUAL("eth1: the line is down, nothing comes from there\n",
                 told_after(seconds(1)).c_str());
}

TEST(LineWatch, a_line_that_is_down_for_a_moment_is_not_told) {
    for (int i = 0; i < 10; ++i) {
        first = i % 2 != 0;
        STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    }
}

TEST(LineWatch, of_a_port_that_broke_is_told_alone_that_its_line_is_there_again) {
    watch.port_broke("eth2");
    // It was never away.
    STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    STRCMP_EQUAL("", watch.returned().c_str());
    second = false;
    for (int i = 0; i < 3; ++i) {
        STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    }
    STRCMP_EQUAL("", watch.returned().c_str());
    second = true;
    STRCMP_EQUAL("", told_after(seconds(1)).c_str());
    STRCMP_CONTAINS("eth2: what broke is there again", watch.returned().c_str());
    // The other one goes on as before.
    first = false;
    told_after(seconds(1));
    STRCMP_CONTAINS("eth1: the line is down", told_after(seconds(1)).c_str());
}

TEST(LineWatch, another_interface_of_the_name_is_a_return_though_none_was_missed) {
    uint32_t index = 7;
    LineWatch one{{{"eth1", [] { return true; }, [&index] { return index; }}}};
    one.port_broke("eth1");
    one.look(now + seconds(1));
    STRCMP_EQUAL("", one.returned().c_str());
    index = 8;
    one.look(now + seconds(2));
    STRCMP_CONTAINS("eth1: what broke is there again", one.returned().c_str());
}

TEST(LineWatch, the_system_is_not_asked_all_the_time) {
    for (int i = 0; i < 30; ++i) {
        told_after(milliseconds(100));
    }
    CHECK_EQUAL(3, asked);
}

TEST(LineWatch, a_line_that_comes_and_goes_fills_no_log) {
    int sentences = 0;
    for (int i = 0; i < 120; ++i) {
        first = i % 4 > 1;
        sentences += told_after(seconds(1)).empty() ? 0 : 1;
    }
    // Down and up, twice.
    CHECK_EQUAL(4, sentences);
    // What is down in the end is told.
    first = false;
    STRCMP_EQUAL("", told_after(seconds(61)).c_str());
    STRCMP_EQUAL("eth1: the line is down, nothing comes from there\n",
                 told_after(seconds(1)).c_str());
    STRCMP_EQUAL("", told_after(seconds(61)).c_str());
    first = true;
    STRCMP_EQUAL("eth1: the line is up again\n", told_after(seconds(1)).c_str());
}

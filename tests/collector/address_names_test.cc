#include "collector/address_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <random>

#include "tests/collector/label_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr uint64_t kStart_us = kStart / 1000;

}  // namespace

TEST_GROUP(AddressNames) {
    AddressNames names;

    std::string found(const char* client, const char* address, uint64_t after_us) const {
        std::string all;
        for (const std::string& name :
             names.find(address_octets(client), address_octets(address), kStart_us + after_us)) {
            all += name + ' ';
        }
        return all;
    }
};

TEST(AddressNames, an_answer_holds_from_its_moment_for_its_time_to_live) {
    names.add(answer_to("10.0.0.5", "A.Example", "192.0.2.1", 60, 500'000));
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", 499'999).c_str());
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 500'000).c_str());
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 60'500'000).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", 60'500'001).c_str());
}

TEST(AddressNames, an_answer_is_for_who_asked) {
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0));
    STRCMP_EQUAL("", found("10.0.0.6", "192.0.2.1", 1).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.2", 1).c_str());
}

TEST(AddressNames, a_chain_of_aliases_leads_to_the_name_asked_for) {
    names.add(answer_to("10.0.0.5", "a.example", "2001:db8::1", 60, 0, "edge.example.net"));
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "2001:db8::1", 1).c_str());
}

TEST(AddressNames, an_answer_to_another_question_is_nobodys_name) {
    proto::FlowSummary flow = answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0);
    std::string& octets = *flow.mutable_messages(0)->mutable_octets();
    octets[13] = 'b';  // the question's name
    names.add(flow);
    CHECK_EQUAL(0, names.size());
}

TEST(AddressNames, a_time_to_live_of_zero_holds_for_a_second) {
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 0, 0));
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 1'000'000).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", 1'000'001).c_str());
}

TEST(AddressNames, no_name_is_valid_for_longer_than_a_week) {
    constexpr uint64_t kWeek_us = 604'800'000'000;
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 0x7fffffff, 0));
    names.add(answer_to("10.0.0.5", "b.example", "192.0.2.2", 0x80000005, 0));
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", kWeek_us).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", kWeek_us + 1).c_str());
    // RFC 2181 section 8.
    STRCMP_EQUAL("b.example ", found("10.0.0.5", "192.0.2.2", 1'000'000).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.2", 1'000'001).c_str());
}

TEST(AddressNames, a_message_is_within_its_record) {
    proto::FlowSummary flow = answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 10);
    flow.mutable_messages(0)->set_offset_us(~uint64_t{0});
    names.add(flow);
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", 9).c_str());
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 10).c_str());
}

TEST(AddressNames, two_names_of_one_address_are_both_there_once) {
    names.add(answer_to("10.0.0.5", "b.example", "192.0.2.1", 60, 0));
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 10));
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 20));
    STRCMP_EQUAL("a.example b.example ", found("10.0.0.5", "192.0.2.1", 30).c_str());
}

TEST(AddressNames, more_than_its_capacity_is_left_out_and_told) {
    AddressNames small(1);
    small.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0));
    small.add(answer_to("10.0.0.5", "b.example", "192.0.2.2", 60, 0));
    CHECK_EQUAL(1, small.size());
    CHECK_FALSE(small.complete());
}

// Which are left out does not depend on who came first.
TEST(AddressNames, past_each_bound_the_order_does_not_matter) {
    std::vector<proto::FlowSummary> answers;
    for (int i = 0; i < 100; ++i) {
        const std::string name = fmt::format("n{:02}.example", i);
        answers.push_back(answer_to("10.0.0.5", name.c_str(), "192.0.2.1", 60, 0));
        answers.push_back(
            answer_to("10.0.0.6", name.c_str(), fmt::format("192.0.2.{}", i).c_str(), 60, 0));
    }
    std::mt19937 random(1);
    std::string before;
    for (int round = 0; round < 10; ++round) {
        names = AddressNames(20);
        for (const proto::FlowSummary& answer : answers) {
            names.add(answer);
        }
        CHECK_EQUAL(20, names.size());
        CHECK_FALSE(names.complete());
        std::string all = found("10.0.0.5", "192.0.2.1", 1);
        for (int i = 0; i < 100; ++i) {
            all += found("10.0.0.6", fmt::format("192.0.2.{}", i).c_str(), 1) + ",";
        }
        CHECK(all.size() > 100 + 19 * sizeof "n00.example");
        STRCMP_EQUAL(round == 0 ? all.c_str() : before.c_str(), all.c_str());
        before = all;
        std::shuffle(answers.begin(), answers.end(), random);
    }
}

TEST(AddressNames, of_one_address_no_more_than_some_are_kept) {
    for (int i = 99; i >= 0; --i) {
        const std::string name = fmt::format("n{:02}.example", i);
        names.add(answer_to("10.0.0.5", name.c_str(), "192.0.2.1", 60, i == 0 ? 5 : 0));
    }
    CHECK_FALSE(names.complete());
    STRCMP_CONTAINS("n00.example n01.example n02.example ",
                    found("10.0.0.5", "192.0.2.1", 5).c_str());
}

// A client that asks again and again, each time when the answer is over: no name is another.
TEST(AddressNames, a_name_is_valid_as_often_as_it_is_told) {
    constexpr uint32_t kPause_us = 4'000'000;
    constexpr uint32_t kTimes = 1000;
    std::vector<uint32_t> times;
    for (uint32_t i = 0; i < kTimes; ++i) {
        times.push_back(i * kPause_us);
    }
    std::shuffle(times.begin(), times.end(), std::mt19937(1));
    for (const uint32_t after_us : times) {
        names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 1, after_us));
    }
    CHECK(names.complete());
    for (const uint32_t after_us : times) {
        STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", after_us + 1'000'000).c_str());
        STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", after_us + 1'000'001).c_str());
    }
    // Bridged by one answer that lasts from the second to the fourth.
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 8, kPause_us));
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 2 * kPause_us - 1).c_str());
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 3 * kPause_us + 1'000'000).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", 3 * kPause_us + 1'000'001).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", kPause_us - 1).c_str());
}

// A client that asks while the answer holds has one time, however often: memory goes by what
// differs.
TEST(AddressNames, times_that_touch_are_one_and_too_many_are_left_out_and_told) {
    names = AddressNames(10, 3);
    constexpr uint32_t kSecond = 1'000'000;
    for (uint32_t second = 0; second < 50; ++second) {
        names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 2, (49 - second) * kSecond));
    }
    CHECK(names.complete());
    for (const uint32_t second : {100, 200}) {
        names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 2, second * kSecond));
    }
    CHECK(names.complete());
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 2, 300 * kSecond));
    CHECK_FALSE(names.complete());
    STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 201 * kSecond).c_str());
    STRCMP_EQUAL("", found("10.0.0.5", "192.0.2.1", 301 * kSecond).c_str());
}

TEST(AddressNames, a_time_that_begins_or_ends_with_another_touches_it) {
    constexpr uint32_t kSecond = 1'000'000;
    for (const auto& order : {std::vector<uint32_t>{0, 2, 4}, std::vector<uint32_t>{4, 2, 0}}) {
        names = AddressNames(10, 1);
        for (const uint32_t second : order) {
            names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 2, second * kSecond));
        }
        CHECK(names.complete());
        STRCMP_EQUAL("a.example ", found("10.0.0.5", "192.0.2.1", 6 * kSecond).c_str());
    }
}

TEST(AddressNames, what_is_over_is_forgotten) {
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0));
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 90, 0));
    names.forget_before(kStart_us + 60'000'001);
    CHECK_EQUAL(1, names.size());
    names.forget_before(kStart_us + 90'000'001);
    CHECK_EQUAL(0, names.size());
}

TEST(AddressNames, torn_messages_bind_nothing) {
    proto::FlowSummary flow = answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0);
    const std::string whole = flow.messages(0).octets();
    for (size_t length = 0; length < whole.size(); ++length) {
        flow.mutable_messages(0)->set_octets(whole.substr(0, length));
        names.add(flow);
    }
    CHECK_EQUAL(0, names.size());
}

}  // namespace curlew::collector

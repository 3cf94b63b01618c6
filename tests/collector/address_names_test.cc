#include "collector/address_names.h"

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

TEST(AddressNames, two_names_of_one_address_are_both_there_once) {
    names.add(answer_to("10.0.0.5", "b.example", "192.0.2.1", 60, 0));
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 10));
    names.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 20));
    STRCMP_EQUAL("a.example b.example ", found("10.0.0.5", "192.0.2.1", 30).c_str());
}

TEST(AddressNames, more_than_its_capacity_is_counted_and_left_out) {
    AddressNames small(1);
    small.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0));
    small.add(answer_to("10.0.0.5", "b.example", "192.0.2.2", 60, 0));
    CHECK_EQUAL(1, small.size());
    CHECK_EQUAL(1, small.left_out());
}

TEST(AddressNames, of_one_address_no_more_than_some_are_kept) {
    for (int i = 0; i < 100; ++i) {
        names.add(answer_to("10.0.0.5", "n" + std::to_string(i) + ".example", "192.0.2.1", 60, 0));
    }
    CHECK_EQUAL(AddressNames::kMaximumOfOne, names.size());
    CHECK_EQUAL(100 - AddressNames::kMaximumOfOne, names.left_out());
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

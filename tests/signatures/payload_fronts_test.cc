#include "signatures/payload_fronts.h"

#include <algorithm>
#include <string>
#include <vector>

#include "signatures/pattern_fronts.h"
#include "tests/support/cpputest.h"

using curlew::signatures::any_of;
using curlew::signatures::Front;
using curlew::signatures::pattern_fronts;
using curlew::signatures::PayloadFronts;

namespace {

std::vector<uint8_t> octets(const std::string& text) {
    return {text.begin(), text.end()};
}

struct LaidPattern {
    explicit LaidPattern(const std::string& text) {
        // Indexes into what others take are not those of one alone.
        const auto others = pattern_fronts("^x[yz]*w");
        fronts.add(others, any_of(others), 0);
        auto found = pattern_fronts(text);
        std::stable_sort(found.begin(), found.end(), [](const Front& left, const Front& right) {
            return left.least_octets < right.least_octets;
        });
        pattern = fronts.add(found, any_of(found), 0);
    }

    uint32_t first_end(const std::string& text) const {
        const std::vector<uint8_t> payload = octets(text);
        return fronts.may_pass(pattern, payload) ? fronts.first_end(pattern, payload) : 0;
    }

    bool has_front(const std::string& text) const {
        const std::vector<uint8_t> payload = octets(text);
        return fronts.may_pass(pattern, payload) && fronts.has_front(pattern, payload);
    }

    PayloadFronts fronts;
    PayloadFronts::Pattern pattern;
};

}  // namespace

TEST_GROUP(PayloadFronts){};

TEST(PayloadFronts, of_several_the_first_end_counts) {
    const LaidPattern laid("^ab*c|^a[^d]{0,4}d");
    CHECK(laid.pattern.suffice);
    CHECK_EQUAL(3, laid.first_end("abc"));
    CHECK_EQUAL(4, laid.first_end("abbcd"));
    CHECK_EQUAL(2, laid.first_end("acd"));
    CHECK_EQUAL(4, laid.first_end("axxd"));
    CHECK_EQUAL(0, laid.first_end("axxxxxd"));
    CHECK_EQUAL(0, laid.first_end("abb"));
    CHECK_EQUAL(0, laid.first_end("a"));
    CHECK_EQUAL(0, laid.first_end("b"));
}

TEST(PayloadFronts, a_run_stops_at_the_payloads_end) {
    const LaidPattern laid("^[^ ]{2,} ");
    CHECK_EQUAL(3, laid.first_end("ab "));
    CHECK_EQUAL(0, laid.first_end("a  "));
    CHECK_EQUAL(0, laid.first_end("abcdefgh"));
    CHECK_EQUAL(201, laid.first_end(std::string(200, 'a') + " b"));
}

TEST(PayloadFronts, what_does_not_suffice_tells_who_may_match) {
    const LaidPattern laid("^a.*b.*c|^bc\\z");
    CHECK(!laid.pattern.suffice);
    CHECK(laid.has_front("axxx"));
    CHECK(laid.has_front("bc"));
    CHECK(!laid.has_front("bcd"));
    CHECK(!laid.has_front("ab"));
    CHECK(!laid.has_front("cab"));
}

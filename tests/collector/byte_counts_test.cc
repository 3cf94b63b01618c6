#include "collector/byte_counts.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;
using Result = ByteCounts::Result;

Result result_of(std::string_view octets) {
    ByteCounts counts;
    return counts.read(octets);
}

}  // namespace

TEST_GROUP(ByteCounts){};

TEST(ByteCounts, a_value_and_a_varint_each) {
    ByteCounts counts;
    CHECK(counts.read("\0\1A\xac\2\xff\x7f"s) == Result::whole);
    CHECK_EQUAL(3u, counts.counts().size());
    CHECK_EQUAL(0, counts.counts()[0].value);
    CHECK_EQUAL(1u, counts.counts()[0].count);
    CHECK_EQUAL('A', counts.counts()[1].value);
    CHECK_EQUAL(300u, counts.counts()[1].count);
    CHECK_EQUAL(255, counts.counts()[2].value);
    CHECK_EQUAL(127u, counts.counts()[2].count);
}

TEST(ByteCounts, what_was_read_before_is_forgotten) {
    ByteCounts counts;
    counts.read("a\1b\1");
    CHECK(counts.read("") == Result::whole);
    CHECK(counts.counts().empty());
}

TEST(ByteCounts, all_values_have_room) {
    std::string octets;
    for (int value = 0; value < 256; ++value) {
        octets.push_back(static_cast<char>(value));
        octets += "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1";
    }
    ByteCounts counts;
    CHECK(counts.read(octets) == Result::whole);
    CHECK_EQUAL(256u, counts.counts().size());
    CHECK(counts.counts()[255].count == UINT64_MAX);
}

TEST(ByteCounts, a_count_that_does_not_end_is_malformed) {
    CHECK(result_of("a") == Result::malformed);
    CHECK(result_of("a\x80") == Result::malformed);
    CHECK(result_of("a\1b") == Result::malformed);
    CHECK(result_of("a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1") == Result::malformed);
}

TEST(ByteCounts, values_ascend_and_counts_are_not_0) {
    CHECK(result_of("b\1a\1") == Result::disordered);
    CHECK(result_of("a\1a\1") == Result::disordered);
    CHECK(result_of("a\0"s) == Result::disordered);
    CHECK(result_of("a\x80\0"s) == Result::disordered);
}

}  // namespace curlew::collector

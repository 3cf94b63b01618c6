#include "collector/payload_statistics.h"

#include <vector>

#include "tests/support/cpputest.h"

namespace curlew::collector {

namespace {

// What occurs of 256 counts.
PayloadStatistics payload_statistics(const std::vector<uint64_t>& counts) {
    std::vector<ByteCount> occurring;
    for (size_t value = 0; value < counts.size(); ++value) {
        if (counts[value] > 0) {
            occurring.push_back({counts[value], static_cast<uint8_t>(value)});
        }
    }
    return collector::payload_statistics(occurring);
}

}  // namespace

TEST_GROUP(PayloadStatistics) {
    std::vector<uint64_t> counts = std::vector<uint64_t>(256);
};

TEST(PayloadStatistics, all_values_alike_have_eight_bits) {
    for (uint64_t& count : counts) {
        count = 1000;
    }
    const PayloadStatistics statistics = payload_statistics(counts);
    CHECK_EQUAL(256'000, statistics.octets);
    DOUBLES_EQUAL(8.0, statistics.entropy, 0);
    DOUBLES_EQUAL(127.5, statistics.mean, 0);
}

TEST(PayloadStatistics, one_value_has_no_entropy_and_no_deviation) {
    counts[65] = 70'000;
    const PayloadStatistics statistics = payload_statistics(counts);
    DOUBLES_EQUAL(0.0, statistics.entropy, 0);
    DOUBLES_EQUAL(65.0, statistics.mean, 0);
    DOUBLES_EQUAL(0.0, statistics.deviation, 0);
}

TEST(PayloadStatistics, counts_over_255_are_true) {
    counts[0] = 3000;
    counts[1] = 1000;
    // 0.75 log2(4/3) + 0.25 log2(4)
    DOUBLES_EQUAL(0.8112781244591328, payload_statistics(counts).entropy, 1e-15);
}

TEST(PayloadStatistics, the_deviation_is_that_of_the_sample) {
    counts[2] = 1;
    counts[4] = 3;
    counts[5] = 2;
    counts[7] = 1;
    counts[9] = 1;
    // 2 4 4 4 5 5 7 9: mean 5, sum of squares 32, over 7.
    DOUBLES_EQUAL(2.138089935299395, payload_statistics(counts).deviation, 1e-15);
}

TEST(PayloadStatistics, one_octet_has_deviation_0_and_none_has_nothing) {
    DOUBLES_EQUAL(0.0, payload_statistics(counts).entropy, 0);
    counts[200] = 1;
    DOUBLES_EQUAL(0.0, payload_statistics(counts).deviation, 0);
    DOUBLES_EQUAL(200.0, payload_statistics(counts).mean, 0);
}

}  // namespace curlew::collector

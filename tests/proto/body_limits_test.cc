#include "proto/body_limits.h"

#include "tests/support/cpputest.h"

namespace curlew::proto {

TEST_GROUP(BodyLimits){};

TEST(BodyLimits, what_is_not_too_long_stays_as_it_is) {
    STRCMP_EQUAL("", bounded("").c_str());
    STRCMP_EQUAL("abcde", bounded("abcde", 5).c_str());
    CHECK_EQUAL(kMaximumTextOctets, bounded(std::string(kMaximumTextOctets, 'x')).size());
}

TEST(BodyLimits, a_longer_text_says_that_it_has_an_end_that_is_missing) {
    STRCMP_EQUAL("ab...", bounded("abcdef", 5).c_str());
    CHECK_EQUAL(kMaximumTextOctets, bounded(std::string(100'000, 'x')).size());
}

}  // namespace curlew::proto

#include "proto/descriptor_limit.h"

#include <sys/resource.h>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using curlew::proto::raise_descriptor_limit;

namespace {

rlimit limit_now() {
    rlimit limit{};
    LONGS_EQUAL(0, ::getrlimit(RLIMIT_NOFILE, &limit));
    return limit;
}

}  // namespace

TEST_GROUP(DescriptorLimit) {
    rlimit before = limit_now();

    void teardown() override {
        ::setrlimit(RLIMIT_NOFILE, &before);
    }
};

TEST(DescriptorLimit, is_raised_as_far_as_the_system_allows_and_never_lowered) {
    const rlimit low{.rlim_cur = 100, .rlim_max = before.rlim_max};
    LONGS_EQUAL(0, ::setrlimit(RLIMIT_NOFILE, &low));
    raise_descriptor_limit(200);
    UNSIGNED_LONGS_EQUAL(200, limit_now().rlim_cur);
    raise_descriptor_limit(150);
    UNSIGNED_LONGS_EQUAL(200, limit_now().rlim_cur);
    raise_descriptor_limit(UINT64_MAX - 1);
    UNSIGNED_LONGS_EQUAL(before.rlim_max, limit_now().rlim_cur);
}

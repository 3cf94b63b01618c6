#include "collector/added_records.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(AddedRecords) {
    AddedRecords added;
};

TEST(AddedRecords, has_what_a_failed_job_had_added_and_nothing_else) {
    added.failed(7, {100, 300}, 20);
    CHECK(added.has(7, 20, 100));
    CHECK(added.has(7, 1, 300));
    CHECK_FALSE(added.has(7, 21, 100));
    CHECK_FALSE(added.has(7, 20, 200));
    CHECK_FALSE(added.has(8, 20, 100));
}

TEST(AddedRecords, of_several_failures_what_any_had) {
    added.failed(7, {100, 200}, 20);
    added.failed(7, {100}, 50);
    added.failed(7, {300}, 5);
    CHECK(added.has(7, 50, 100));
    CHECK(added.has(7, 20, 200));
    CHECK_FALSE(added.has(7, 21, 200));
    CHECK(added.has(7, 5, 300));
}

TEST(AddedRecords, what_is_sealed_comes_no_more) {
    added.failed(7, {100}, 20);
    added.failed(8, {100}, 20);
    added.sealed(7, {100});
    CHECK_FALSE(added.has(7, 1, 100));
    CHECK(added.has(8, 1, 100));
}

// A full disk has all windows sealed; with room again it may be the complete ones alone.
TEST(AddedRecords, windows_that_wait_on_are_known_on) {
    added.failed(7, {100, 300}, 20);
    added.sealed(7, {100});
    CHECK_FALSE(added.has(7, 1, 100));
    CHECK(added.has(7, 20, 300));
    added.sealed(7, {300});
    CHECK_FALSE(added.has(7, 1, 300));
}

}  // namespace curlew::collector

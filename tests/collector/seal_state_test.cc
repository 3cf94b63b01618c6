#include "collector/seal_state.h"

#include <stdexcept>

#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

constexpr uint64_t kStateMinute = 60'000'000'000;

}  // namespace

TEST_GROUP(SealState) {
    tests::TemporaryFolder folder;
    SealState state;
};

TEST(SealState, covers_a_marked_window_up_to_its_sequence) {
    state.mark(10, 10 * kStateMinute, 500);
    CHECK_TRUE(state.covers(500, 10 * kStateMinute));
    CHECK_TRUE(state.covers(1, 20 * kStateMinute - 1));
    CHECK_FALSE(state.covers(501, 10 * kStateMinute));
    CHECK_FALSE(state.covers(1, 20 * kStateMinute));
    CHECK_EQUAL(500, state.sealed_through(10, 10 * kStateMinute));
    CHECK_EQUAL(0, state.sealed_through(10, 20 * kStateMinute));
}

TEST(SealState, windows_of_another_length_count_as_they_were) {
    state.mark(10, 10 * kStateMinute, 500);
    state.mark(60, 60 * kStateMinute, 300);
    CHECK_TRUE(state.covers(300, 119 * kStateMinute));
    CHECK_FALSE(state.covers(301, 119 * kStateMinute));
    CHECK_TRUE(state.covers(301, 19 * kStateMinute));
    CHECK_EQUAL(0, state.sealed_through(60, 10 * kStateMinute));
}

TEST(SealState, covers_everything_up_to_a_sequence) {
    state.all_through = 100;
    CHECK_TRUE(state.covers(100, 77));
    CHECK_FALSE(state.covers(101, 77));
    CHECK_EQUAL(100, state.sealed_through(10, 0));
}

TEST(SealState, forgets_marks_that_say_nothing_more) {
    state.mark(10, 0, 50);
    state.mark(10, 10 * kStateMinute, 99);
    state.mark(10, 20 * kStateMinute, 100);
    state.forget_before(100);
    CHECK_EQUAL(1, state.marks.size());
    state.all_through = 100;
    state.forget_before(1);
    CHECK_EQUAL(0, state.marks.size());
}

TEST(SealState, comes_back_from_its_file) {
    const auto path = seal_state_path(folder.path(), "attic", 0x1f);
    STRCMP_EQUAL("attic-000000000000001f.sealed", path.filename().c_str());
    CHECK_EQUAL(0, load_seal_state(path).all_through);
    state.all_through = 7;
    state.final_ledger_sealed = true;
    state.unclean_end_sealed = true;
    state.mark(10, 10 * kStateMinute, UINT64_MAX);
    state.publications.push_back(
        {.part = "a.part",
         .group = "any",
         .scenario = "live",
         .name = "attic-1",
         .encoding = Encoding::json_zstd,
         .sums = {.octets = 1, .sha256 = "s", .content_octets = 2, .content_sha256 = "c"},
         .manifest = "{\n  \"schema\": 1\n}\n"});
    save_seal_state(path, state);
    const SealState loaded = load_seal_state(path);
    CHECK_EQUAL(7, loaded.all_through);
    CHECK(loaded.final_ledger_sealed);
    CHECK(loaded.unclean_end_sealed);
    CHECK(loaded.marks == state.marks);
    CHECK_EQUAL(1, loaded.publications.size());
    const Publication& publication = loaded.publications.front();
    CHECK(publication.part == "a.part");
    CHECK(publication.group == "any");
    CHECK(publication.scenario == "live");
    CHECK(publication.name == "attic-1");
    CHECK(publication.encoding == Encoding::json_zstd);
    CHECK_EQUAL(1, publication.sums.octets);
    CHECK(publication.sums.sha256 == "s");
    CHECK_EQUAL(2, publication.sums.content_octets);
    CHECK(publication.sums.content_sha256 == "c");
    CHECK(publication.manifest == state.publications.front().manifest);
}

TEST(SealState, a_damaged_file_is_one_sentence) {
    const auto path = folder.path() / "attic-1.sealed";
    for (const char* content : {"", "{}", "[]", "{\"schema\":2}"}) {
        tests::put_content(path, content);
        CHECK_THROWS(SealStateError, load_seal_state(path));
    }
}

// That of a newer program is not to be taken for rubbish.
TEST(SealState, a_file_of_another_version_is_not_damaged) {
    const auto path = folder.path() / "attic-1.sealed";
    tests::put_content(path, "{\"schema\":99}");
    try {
        static_cast<void>(load_seal_state(path));
        FAIL("it was read");
    } catch (const SealStateError&) {
        FAIL("it is damaged");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("of another version", error.what());
    }
}

}  // namespace curlew::collector

#include "collector/damaged_states.h"

#include "collector/journal_reader.h"
#include "collector/seal_state.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {

namespace fs = std::filesystem;

TEST_GROUP(DamagedStates) {
    tests::TemporaryFolder folder;
    std::vector<std::string> problems;

    fs::path journal(const char* probe, uint64_t first) {
        return folder.path() / JournalName{probe, 1, first}.file();
    }
    fs::path state(const char* probe) {
        return seal_state_path(folder.path(), probe, 1);
    }
};

TEST(DamagedStates, go_aside_with_their_journals_and_no_others) {
    for (const fs::path& file : {journal("attic", 1), journal("attic", 7), journal("cellar", 1)}) {
        tests::put_content(file, "journal");
    }
    tests::put_content(state("attic"), "rubbish");
    save_seal_state(state("cellar"), {});
    set_damaged_states_aside(folder.path(), problems);
    CHECK_EQUAL(1, problems.size());
    STRCMP_CONTAINS("it is kept as .damaged, 2 journals of its epoch with it", problems[0].c_str());
    for (const fs::path& file : {journal("attic", 1), journal("attic", 7), state("attic")}) {
        CHECK_FALSE(fs::exists(file));
        CHECK_TRUE(fs::exists(file.string() + ".damaged"));
    }
    CHECK_TRUE(fs::exists(journal("cellar", 1)));
    CHECK_TRUE(fs::exists(state("cellar")));
}

TEST(DamagedStates, of_another_version_are_nobodys_to_touch) {
    tests::put_content(state("attic"), "{\"schema\":99}");
    CHECK_THROWS(std::runtime_error, set_damaged_states_aside(folder.path(), problems));
    CHECK_TRUE(fs::exists(state("attic")));
}

}  // namespace curlew::collector

#include "cli/whole_file.h"

#include <string>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::WholeFile;
using curlew::cli::test::FlowFolder;
using curlew::cli::test::refusal;

TEST_GROUP(WholeFile) {
    FlowFolder folder;
    std::filesystem::path path = folder.path() / "a";
};

TEST(WholeFile, appears_when_finished) {
    WholeFile file(path);
    file.write("one ");
    file.write(std::string(3'000'000, 'x'));
    CHECK_FALSE(folder.has("a"));
    file.finish();
    STRCMP_EQUAL(("one " + std::string(3'000'000, 'x')).c_str(), folder.read("a").c_str());
    CHECK_FALSE(folder.has("a.open"));
}

TEST(WholeFile, leaves_nothing_when_not_finished) {
    {
        WholeFile file(path);
        file.write("one");
        CHECK(folder.has("a.open"));
    }
    LONGS_EQUAL(0, folder.count(""));
}

TEST(WholeFile, does_not_replace_a_file_that_took_its_name) {
    {
        WholeFile file(path);
        file.write("one");
        folder.write("a", "other");
        STRCMP_EQUAL(("cannot write " + path.string() + ": File exists").c_str(),
                     refusal([&] { file.finish(); }).c_str());
    }
    STRCMP_EQUAL("other", folder.read("a").c_str());
    CHECK_FALSE(folder.has("a.open"));
}

TEST(WholeFile, does_not_share_a_file_with_another_run) {
    WholeFile file(path);
    STRCMP_EQUAL(("cannot write " + path.string() + ".open: another process writes it").c_str(),
                 refusal([&] { WholeFile second(path); }).c_str());
    CHECK(folder.has("a.open"));
}

TEST(WholeFile, what_one_who_was_killed_left_is_written_over) {
    folder.write("a.open", "more than one");
    WholeFile file(path);
    file.write("one");
    file.finish();
    STRCMP_EQUAL("one", folder.read("a").c_str());
    CHECK_FALSE(folder.has("a.open"));
}

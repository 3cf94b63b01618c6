#include "cli/verify.h"

#include <sstream>
#include <string>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::run_verify;
using curlew::cli::test::FlowFolder;
using curlew::cli::test::refusal;

TEST_GROUP(Verify) {
    FlowFolder folder;
    std::ostringstream out;
};

TEST(Verify, an_archive_without_datasets_holds) {
    folder.write("index.jsonl", "");
    LONGS_EQUAL(0, run_verify(folder.path(), out));
    STRCMP_EQUAL("0 datasets, 0 records, 0 octets: the archive holds\n", out.str().c_str());
}

TEST(Verify, a_problem_is_printed_and_fails) {
    LONGS_EQUAL(1, run_verify(folder.path(), out));
    STRCMP_EQUAL(
        "index.jsonl is missing\n"
        "0 datasets, 0 records, 0 octets: 1 problems\n",
        out.str().c_str());
}

TEST(Verify, what_is_no_folder_is_refused) {
    const std::string path = (folder.path() / "none").string();
    STRCMP_EQUAL(("cannot verify " + path + ": it is no folder").c_str(),
                 refusal([&] { run_verify(path, out); }).c_str());
}

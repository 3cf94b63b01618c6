#include "cli/relabel.h"

#include <sstream>

#include "cli/run.h"
#include "cli/usage_error.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = CURLEW_SOURCE_ROOT;

}  // namespace

TEST_GROUP(Relabel) {
    curlew::tests::TemporaryFolder folder;
    RelabelConfig config;
    std::ostringstream out;
    std::ostringstream err;

    void setup() override {
        RunConfig run;
        run.captures = {kRoot / "tests/golden/cases/gateway-boot/input.pcap"};
        run.archive = folder.path() / "archive";
        run.signatures_folder = kRoot / "signatures";
        CHECK(run_captures(run).failures.empty());
        config.archive = run.archive;
        config.signatures_folder = run.signatures_folder;
    }
};

TEST(Relabel, by_the_installed_signatures_nothing_changes) {
    CHECK_EQUAL(0, run_relabel(config, out, err));
    STRCMP_CONTAINS("\n0 of ", ("\n" + out.str()).c_str());
}

TEST(Relabel, a_dataset_without_labels_is_in_nobodys_way) {
    RunConfig run;
    run.captures = {kRoot / "tests/golden/cases/gateway-boot/input.pcap"};
    run.archive = config.archive;
    run.scenario = "joy";
    run.preset = "joy-3.0.3";
    run.signatures_folder = config.signatures_folder;
    CHECK(run_captures(run).failures.empty());
    CHECK_EQUAL(0, run_relabel(config, out, err));
    STRCMP_CONTAINS("records of preset joy-3.0.3 hold no labels\n", err.str().c_str());
    STRCMP_CONTAINS("wrote ", err.str().c_str());
}

TEST(Relabel, a_ruleset_with_a_problem_is_a_wrong_command) {
    config.ruleset = folder.path() / "bad.toml";
    curlew::tests::put_content(config.ruleset, "[[signature]]\nid = 'x'\n");
    CHECK_THROWS(UsageError, run_relabel(config, out, err));
}

TEST(Relabel, what_looks_for_octets_is_told_to_find_none) {
    config.ruleset = folder.path() / "more.toml";
    curlew::tests::put_content(config.ruleset,
                               "[[signature]]\nid = 'x'\ntitle = 'x'\nreference = 'seen'\n"
                               "kind = 'payload'\npattern = '^x'\nprotocol = 'mqtt'\n"
                               "examples.match = ['x']\nexamples.no_match = ['y']\n");
    CHECK_EQUAL(0, run_relabel(config, out, err));
    STRCMP_CONTAINS("more.toml:1: records do not keep payloads: \"x\"", err.str().c_str());
    STRCMP_CONTAINS("\n0 of ", ("\n" + out.str()).c_str());
}

TEST(Relabel, a_group_of_the_ruleset_with_a_problem_is_a_wrong_command) {
    config.ruleset = folder.path() / "signatures";
    fs::copy(config.signatures_folder, config.ruleset, fs::copy_options::recursive);
    CHECK_EQUAL(0, run_relabel(config, out, err));
    curlew::tests::put_content(config.ruleset / "groups/any.toml", "bogus = 3\n");
    CHECK_THROWS(UsageError, run_relabel(config, out, err));
}

TEST(Relabel, what_is_no_archive_is_a_wrong_command) {
    config.archive = folder.path();
    CHECK_THROWS(UsageError, run_relabel(config, out, err));
}

}  // namespace curlew::cli

#include "cli/signatures.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/usage_error.h"
#include "tests/support/cpputest.h"

using curlew::cli::run_signatures_check;
using curlew::cli::run_signatures_list;
using curlew::cli::UsageError;

namespace {

constexpr const char* kSsh =
    "[[signature]]\nid = 'ssh-banner'\ntitle = 'SSH line'\nreference = 'r'\nkind = 'payload'\n"
    "pattern = '^SSH-'\nprotocol = 'ssh'\nexamples = { match = ['SSH-2'], no_match = ['x'] }\n";
constexpr const char* kName =
    "[[signature]]\nid = 'name-a'\ntitle = 'A cloud'\nreference = 'r'\nkind = 'name'\n"
    "pattern = 'a.example'\nservice = 'a-cloud'\n"
    "examples = { match = ['a.example'], no_match = ['x'] }\n";

}  // namespace

TEST_GROUP(SignaturesCommand) {
    std::filesystem::path folder;
    std::ostringstream out;
    std::ostringstream err;

    void setup() override {
        std::string pattern = std::filesystem::temp_directory_path() / "curlew-test-XXXXXX";
        folder = mkdtemp(pattern.data());
        std::filesystem::create_directory(folder / "groups");
    }
    void teardown() override {
        std::filesystem::remove_all(folder);
    }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder / name, std::ios::binary) << text;
    }
};

TEST(SignaturesCommand, a_check_without_problems_ends_with_0) {
    write("a.toml", std::string(kSsh) + kName);
    write("groups/any.toml", "name = 'any'\ntitle = 't'\n");
    LONGS_EQUAL(0, run_signatures_check(folder, out));
    STRCMP_EQUAL("2 signatures, 0 problems\n", out.str().c_str());
    STRCMP_EQUAL("", err.str().c_str());
}

TEST(SignaturesCommand, a_check_prints_every_problem_of_files_examples_and_groups) {
    std::string ssh = kSsh;
    write("a.toml", ssh.replace(ssh.find("'SSH-2'"), 7, "'SSH+2'") + "lable = 1\n" + kName);
    write("groups/any.toml", "name = 'any'\n");
    LONGS_EQUAL(1, run_signatures_check(folder, out));
    const std::string at = folder.string();
    STRCMP_EQUAL((at + "/a.toml:8:23: the example does not match 'ssh-banner'\n" + at +
                  "/a.toml:9:1: a signature has no key 'lable'; did you mean 'label'?\n" + at +
                  "/groups/any.toml:1:1: 'title' is missing\n" + "2 signatures, 3 problems\n")
                     .c_str(),
                 out.str().c_str());
}

TEST(SignaturesCommand, a_list_stands_in_columns) {
    write("a.toml", std::string(kSsh) + kName);
    LONGS_EQUAL(0, run_signatures_list(folder, out, err));
    const std::string text = out.str();
    const std::string head = "id          kind     protocol  service  cost  measured    title\n";
    STRCMP_EQUAL(head.c_str(), text.substr(0, head.size()).c_str());
    STRCMP_CONTAINS("\nssh-banner  payload  ssh       -        ", text.c_str());
    STRCMP_CONTAINS("  unmeasured  SSH line\n", text.c_str());
    STRCMP_CONTAINS("\nname-a      name     -         a-cloud  -     unmeasured  A cloud\n",
                    text.c_str());
    STRCMP_EQUAL("", err.str().c_str());
}

TEST(SignaturesCommand, a_list_tells_problems_apart_and_ends_with_1) {
    write("a.toml", std::string(kSsh) + "lable = 1\n");
    LONGS_EQUAL(1, run_signatures_list(folder, out, err));
    STRCMP_CONTAINS("SSH line\n", out.str().c_str());
    STRCMP_EQUAL(
        (folder.string() + "/a.toml:9:1: a signature has no key 'lable'; did you mean 'label'?\n")
            .c_str(),
        err.str().c_str());
}

TEST(SignaturesCommand, a_folder_that_is_none_is_a_wrong_command) {
    CHECK_THROWS(UsageError, run_signatures_check(folder / "none", out));
    CHECK_THROWS(UsageError, run_signatures_list(folder / "none", out, err));
    STRCMP_EQUAL("", err.str().c_str());
    STRCMP_EQUAL("", out.str().c_str());
}

TEST(SignaturesCommand, a_check_misses_the_group_of_all) {
    write("a.toml", kSsh);
    LONGS_EQUAL(1, run_signatures_check(folder, out));
    STRCMP_CONTAINS("/groups/any.toml: is missing", out.str().c_str());
}

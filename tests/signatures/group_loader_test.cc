#include <filesystem>
#include <fstream>
#include <string>

#include "signatures/group_rules.h"
#include "tests/support/cpputest.h"

using curlew::signatures::GroupRules;
using curlew::signatures::RuleView;

namespace {

// The one group that the tests vary.
constexpr const char* kGoodGroup =
    "name = 'lab'\n"              // 1
    "title = 'A laboratory'\n"    // 2
    "publish = 'host @device'\n"  // 3
    "otherwise = 'Rest'\n"        // 4
    "[roles]\n"                   // 5
    "device = '192.0.2.1'\n"      // 6
    "[[rule]]\n"                  // 7
    "label = 'To it'\n"           // 8
    "da = '@device'\n"            // 9
    "dp = 80\n";                  // 10

std::string group_with(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    CHECK(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

void expect_group_problem(const std::string& from, const std::string& to, const char* expected) {
    const auto rules = GroupRules::parse(group_with(kGoodGroup, from, to), "lab.toml");
    std::string all;
    for (const auto& problem : rules.problems()) {
        all += to_string(problem) + "\n";
    }
    STRCMP_EQUAL(expected, all.c_str());
    CHECK(!rules.has_rules());
    CHECK(rules.label(RuleView{}).empty());
}

}  // namespace

TEST_GROUP(GroupLoader){};

TEST(GroupLoader, every_part_is_read) {
    const auto rules = GroupRules::parse(kGoodGroup, "lab.toml");
    LONGS_EQUAL(0, rules.problems().size());
    STRCMP_EQUAL("lab", rules.name().c_str());
    STRCMP_EQUAL("A laboratory", rules.title().c_str());
    STRCMP_EQUAL("host 192.0.2.1", rules.publish().c_str());
    STRCMP_EQUAL("192.0.2.1", rules.roles().at("device")[0].c_str());
    CHECK(rules.has_rules());
}

TEST(GroupLoader, joys_setting_is_told_or_1300) {
    CHECK_EQUAL(1300U, GroupRules::parse(kGoodGroup, "lab.toml").joy_idp());
    const std::string told = group_with(kGoodGroup, "publish", "joy_idp = 256\npublish");
    const auto rules = GroupRules::parse(told, "lab.toml");
    CHECK_EQUAL(256U, rules.joy_idp());
    CHECK(rules.content_hash() != GroupRules::parse(kGoodGroup, "lab.toml").content_hash());
}

TEST(GroupLoader, a_syntax_error_has_its_place) {
    const auto rules = GroupRules::parse("name = \n", "lab.toml");
    LONGS_EQUAL(1, rules.problems().size());
    LONGS_EQUAL(1, rules.problems()[0].line);
    LONGS_EQUAL(8, rules.problems()[0].column);
}

TEST(GroupLoader, missing_and_unknown_keys_are_told_at_their_place) {
    expect_group_problem("name = 'lab'\n", "", "lab.toml:1:1: 'name' is missing\n");
    expect_group_problem("title",
                         "titel",
                         "lab.toml:1:1: 'title' is missing\n"
                         "lab.toml:2:1: a group file has no key 'titel'; did you mean 'title'?\n");
    expect_group_problem("label = 'To it'\n", "", "lab.toml:7:1: 'label' is missing\n");
    expect_group_problem("dp =", "dport =", "lab.toml:10:1: a rule has no key 'dport'\n");
}

TEST(GroupLoader, rules_need_a_label_for_the_rest) {
    expect_group_problem("otherwise = 'Rest'\n", "", "lab.toml:1:1: 'otherwise' is missing\n");
    expect_group_problem("[[rule]]\nlabel = 'To it'\nda = '@device'\ndp = 80\n",
                         "",
                         "lab.toml:4:13: 'otherwise' stands only in a group with rules\n");
}

TEST(GroupLoader, a_rule_without_a_condition_is_told) {
    expect_group_problem("da = '@device'\ndp = 80\n",
                         "",
                         "lab.toml:7:1: there is no condition: the label of all the rest is "
                         "'otherwise'\n");
}

TEST(GroupLoader, numbers_out_of_bounds_are_told) {
    expect_group_problem(
        "dp = 80", "dp = 65536", "lab.toml:10:6: 'dp' is no number from 0 to 65535\n");
    expect_group_problem(
        "dp = 80", "dp = -1", "lab.toml:10:6: 'dp' is no number from 0 to 65535\n");
    expect_group_problem(
        "dp = 80", "in_ttl = 256", "lab.toml:10:10: 'in_ttl' is no number from 0 to 255\n");
    expect_group_problem(
        "dp = 80", "out_ttl = '1'", "lab.toml:10:11: 'out_ttl' is no number from 0 to 255\n");
}

TEST(GroupLoader, a_condition_is_true_or_absent) {
    expect_group_problem(
        "dp = 80", "no_ports = false", "lab.toml:10:12: 'no_ports' is true or not there at all\n");
    expect_group_problem(
        "dp = 80", "same_ports = 1", "lab.toml:10:14: 'same_ports' is neither true nor false\n");
}

TEST(GroupLoader, a_first_character_is_one_character) {
    expect_group_problem(
        "dp = 80", "da_first = '22'", "lab.toml:10:12: 'da_first' is no single character\n");
}

TEST(GroupLoader, addresses_and_roles_have_to_exist) {
    expect_group_problem(
        "da = '@device'", "da = '@other'", "lab.toml:9:6: there is no role 'other'\n");
    expect_group_problem("da = '@device'",
                         "da = ['@device', 'x']",
                         "lab.toml:9:18: 'x' is neither an IP address nor an '@role'\n");
    expect_group_problem("device = '192.0.2.1'",
                         "device = '192.0.2.256'",
                         "lab.toml:6:10: '192.0.2.256' is no IP address\n");
    expect_group_problem(
        "host @device", "host @other", "lab.toml:3:11: there is no role 'other'\n");
    expect_group_problem(
        "host @device", "net @device", "lab.toml:3:11: a role stands after 'host' and one blank\n");
}

TEST(GroupLoader, alternatives_are_conditions_of_their_own) {
    expect_group_problem(
        "da = '@device'\ndp = 80",
        "any_of = [{ dp = 80 }, { port = 1 }]",
        "lab.toml:9:24: there is no condition: the label of all the rest is 'otherwise'\n"
        "lab.toml:9:26: a condition has no key 'port'\n");
    expect_group_problem("da = '@device'",
                         "any_of = [{ dp = 80 }]",
                         "lab.toml:10:1: a rule with 'any_of' has no key 'dp'\n");
    expect_group_problem("da = '@device'\ndp = 80",
                         "any_of = []",
                         "lab.toml:9:10: 'any_of' has from 1 to 64 conditions\n");
}

TEST(GroupLoader, all_problems_are_told_together) {
    expect_group_problem("'192.0.2.1'\n[[rule]]\nlabel = 'To it'\nda = '@device'\ndp = 80\n",
                         "'none'\n[[rule]]\nda = '@other'\ndp = 'x'\n",
                         "lab.toml:6:10: 'none' is no IP address\n"
                         "lab.toml:7:1: 'label' is missing\n"
                         "lab.toml:8:6: there is no role 'other'\n"
                         "lab.toml:9:6: 'dp' is no number from 0 to 65535\n");
}

TEST(GroupLoader, a_group_without_rules_labels_nothing) {
    const auto rules = GroupRules::parse("name = 'any'\ntitle = 'x'\n", "any.toml");
    LONGS_EQUAL(0, rules.problems().size());
    CHECK(!rules.has_rules());
    CHECK(rules.label(RuleView{}).empty());
    STRCMP_EQUAL("", rules.publish().c_str());
}

TEST_GROUP(GroupFile) {
    std::filesystem::path folder;

    void setup() override {
        std::string pattern = std::filesystem::temp_directory_path() / "curlew-test-XXXXXX";
        folder = mkdtemp(pattern.data());
    }
    void teardown() override {
        std::filesystem::remove_all(folder);
    }
};

TEST(GroupFile, the_file_bears_the_name_of_the_group) {
    std::ofstream(folder / "lab.toml") << kGoodGroup;
    CHECK(GroupRules::load(folder / "lab.toml").has_rules());
    std::ofstream(folder / "other.toml") << kGoodGroup;
    const auto rules = GroupRules::load(folder / "other.toml");
    LONGS_EQUAL(1, rules.problems().size());
    STRCMP_EQUAL("the name 'lab' is not the file's", rules.problems()[0].what.c_str());
    CHECK(rules.label(RuleView{}).empty());
}

TEST(GroupFile, a_file_that_cannot_be_read_is_told) {
    const auto missing = GroupRules::load(folder / "none.toml").problems();
    LONGS_EQUAL(1, missing.size());
    STRCMP_EQUAL("cannot be read: No such file or directory", missing[0].what.c_str());
    const auto a_folder = GroupRules::load(folder).problems();
    LONGS_EQUAL(1, a_folder.size());
    STRCMP_EQUAL("cannot be read: it is a folder", a_folder[0].what.c_str());
}

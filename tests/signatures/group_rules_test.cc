#include "signatures/group_rules.h"

#include <stdexcept>
#include <string>

#include "tests/support/cpputest.h"

using curlew::signatures::canonical_address;
using curlew::signatures::GroupRules;
using curlew::signatures::RuleView;

namespace {

GroupRules rules_of(const std::string& rules, const std::string& head = "") {
    auto parsed = GroupRules::parse(
        "name = 'lab'\ntitle = 't'\notherwise = 'Rest'\n" + head + "\n" + rules, "lab.toml");
    LONGS_EQUAL(0, parsed.problems().size());
    return parsed;
}

std::string rule(const std::string& conditions) {
    return "[[rule]]\nlabel = 'Hit'\n" + conditions + "\n";
}

std::string labelled(const GroupRules& rules, const RuleView& view) {
    return std::string(rules.label(view));
}

RuleView ports(int32_t sp, int32_t dp) {
    RuleView view;
    view.sp = sp;
    view.dp = dp;
    view.sa = "192.0.2.1";
    view.da = "198.51.100.1";
    view.out_ttl = 64;
    view.has_in_ttl = true;
    view.in_ttl = 57;
    return view;
}

RuleView without_answer(RuleView view) {
    view.has_in_ttl = false;
    view.in_ttl = 0;
    return view;
}

std::string failure_of(GroupRules& rules, const std::string& role, const std::string& address) {
    try {
        rules.set_role(role, address);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

constexpr const char* kRoles = "[roles]\ndevice = '192.0.2.1'\npair = ['192.0.2.2', '192.0.2.3']\n";

}  // namespace

TEST_GROUP(GroupRules){};

TEST(GroupRules, the_first_rule_that_holds_gives_the_label) {
    const auto rules = rules_of(rule("dp = 80") + "[[rule]]\nlabel = 'Later'\nsp = 53\n");
    STRCMP_EQUAL("Hit", labelled(rules, ports(53, 80)).c_str());
    STRCMP_EQUAL("Later", labelled(rules, ports(53, 81)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(54, 81)).c_str());
}

TEST(GroupRules, everything_in_a_condition_has_to_hold) {
    const auto rules = rules_of(rule("sp = 53\ndp = 80\nout_ttl = 64"));
    STRCMP_EQUAL("Hit", labelled(rules, ports(53, 80)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(53, 81)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(54, 80)).c_str());
    RuleView other_ttl = ports(53, 80);
    other_ttl.out_ttl = 63;
    STRCMP_EQUAL("Rest", labelled(rules, other_ttl).c_str());
}

TEST(GroupRules, one_of_several_alternatives_is_enough) {
    const auto rules = rules_of(rule("any_of = [{ sp = 53, dp = 3 }, { dp = 4 }]"));
    STRCMP_EQUAL("Hit", labelled(rules, ports(53, 3)).c_str());
    STRCMP_EQUAL("Hit", labelled(rules, ports(9, 4)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(9, 3)).c_str());
}

TEST(GroupRules, no_ports_means_both_are_null) {
    const auto rules = rules_of(rule("no_ports = true"));
    STRCMP_EQUAL("Hit", labelled(rules, ports(-1, -1)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(0, 0)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(-1, 1)).c_str());
}

TEST(GroupRules, same_ports_counts_null_as_equal) {
    const auto rules = rules_of(rule("same_ports = true"));
    STRCMP_EQUAL("Hit", labelled(rules, ports(7, 7)).c_str());
    STRCMP_EQUAL("Hit", labelled(rules, ports(-1, -1)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(7, 8)).c_str());
}

TEST(GroupRules, a_port_can_be_ruled_out) {
    const auto rules = rules_of(rule("dp = 1900\nsp_not = 1900"));
    STRCMP_EQUAL("Hit", labelled(rules, ports(5, 1900)).c_str());
    STRCMP_EQUAL("Rest", labelled(rules, ports(1900, 1900)).c_str());
}

TEST(GroupRules, the_first_character_of_da_is_compared_as_text) {
    const auto rules = rules_of(rule("da_first = '2'"));
    const auto inverse = rules_of(rule("da_first_not = '2'"));
    for (const char* address : {"224.0.0.251", "2.0.0.1", "23.1.2.3", "2001:db8::1"}) {
        RuleView view = ports(1, 2);
        view.da = address;
        STRCMP_EQUAL("Hit", labelled(rules, view).c_str());
        STRCMP_EQUAL("Rest", labelled(inverse, view).c_str());
    }
    RuleView view = ports(1, 2);
    view.da = "192.168.3.2";
    STRCMP_EQUAL("Rest", labelled(rules, view).c_str());
    STRCMP_EQUAL("Hit", labelled(inverse, view).c_str());
    view.da = "";
    STRCMP_EQUAL("Rest", labelled(rules, view).c_str());
}

TEST(GroupRules, an_in_ttl_holds_fails_or_is_missing) {
    const auto rules =
        rules_of(rule("dp = 80\nin_ttl = 57") + "[[rule]]\nlabel = 'Later'\ndp = 80\n");
    STRCMP_EQUAL("Hit", labelled(rules, ports(1, 80)).c_str());
    RuleView other = ports(1, 80);
    other.in_ttl = 58;
    STRCMP_EQUAL("Later", labelled(rules, other).c_str());
    STRCMP_EQUAL("Flow Error", labelled(rules, without_answer(ports(1, 80))).c_str());
}

TEST(GroupRules, a_missing_in_ttl_is_no_error_when_the_ports_do_not_hold) {
    const auto rules = rules_of(rule("dp = 80\nin_ttl = 57"));
    STRCMP_EQUAL("Rest", labelled(rules, without_answer(ports(1, 81))).c_str());
}

TEST(GroupRules, a_missing_in_ttl_is_no_error_when_an_earlier_rule_holds) {
    const auto rules =
        rules_of("[[rule]]\nlabel = 'Before'\nsp = 1\n" + rule("dp = 80\nin_ttl = 57"));
    STRCMP_EQUAL("Before", labelled(rules, without_answer(ports(1, 80))).c_str());
}

TEST(GroupRules, an_in_ttl_of_zero_is_not_missing) {
    const auto rules = rules_of(rule("dp = 80\nin_ttl = 0"));
    RuleView view = ports(1, 80);
    view.in_ttl = 0;
    STRCMP_EQUAL("Hit", labelled(rules, view).c_str());
}

TEST(GroupRules, a_role_stands_for_its_addresses) {
    const auto rules = rules_of(rule("sa = '@pair'\nda = '@device'"), kRoles);
    RuleView view = ports(1, 2);
    view.sa = "192.0.2.3";
    view.da = "192.0.2.1";
    STRCMP_EQUAL("Hit", labelled(rules, view).c_str());
    view.sa = "192.0.2.4";
    STRCMP_EQUAL("Rest", labelled(rules, view).c_str());
}

TEST(GroupRules, a_role_set_anew_replaces_all_its_addresses) {
    auto rules = rules_of(rule("sa = '@pair'"), kRoles);
    RuleView before = ports(1, 2);
    before.sa = "192.0.2.2";
    RuleView after = ports(1, 2);
    after.sa = "203.0.113.9";
    rules.set_role("pair", "203.0.113.9");
    STRCMP_EQUAL("Rest", labelled(rules, before).c_str());
    STRCMP_EQUAL("Hit", labelled(rules, after).c_str());
    rules.set_role("pair", "192.0.2.2,203.0.113.9");
    STRCMP_EQUAL("Hit", labelled(rules, before).c_str());
    STRCMP_EQUAL("Hit", labelled(rules, after).c_str());
}

TEST(GroupRules, a_bad_role_or_address_is_refused_and_changes_nothing) {
    auto rules = rules_of(rule("sa = '@device'"), kRoles);
    STRCMP_EQUAL("the group 'lab' has no role 'camera'",
                 failure_of(rules, "camera", "192.0.2.9").c_str());
    STRCMP_EQUAL("the role 'device' cannot be '192.0.2': that is no IP address",
                 failure_of(rules, "device", "192.0.2").c_str());
    STRCMP_EQUAL("the role 'device' cannot be '': that is no IP address",
                 failure_of(rules, "device", "").c_str());
    STRCMP_EQUAL("the role 'device' cannot be '': that is no IP address",
                 failure_of(rules, "device", "192.0.2.9,").c_str());
    STRCMP_EQUAL("192.0.2.1", rules.roles().at("device")[0].c_str());
    RuleView view = ports(1, 2);
    STRCMP_EQUAL("Hit", labelled(rules, view).c_str());
}

TEST(GroupRules, publish_follows_the_roles) {
    auto rules = rules_of(
        rule("dp = 1"), std::string("publish = 'tcp and (host @device or host @pair)'\n") + kRoles);
    STRCMP_EQUAL("tcp and (host 192.0.2.1 or (host 192.0.2.2 or host 192.0.2.3))",
                 rules.publish().c_str());
    rules.set_role("device", "2001:DB8::1");
    rules.set_role("pair", "203.0.113.9");
    STRCMP_EQUAL("tcp and (host 2001:db8::1 or host 203.0.113.9)", rules.publish().c_str());
}

TEST(GroupRules, the_hash_changes_with_rules_and_roles) {
    auto rules = rules_of(rule("sa = '@device'"), kRoles);
    const std::string hash = rules.content_hash();
    LONGS_EQUAL(16, hash.size());
    CHECK(hash == rules_of(rule("sa = '@device'"), kRoles).content_hash());
    CHECK(hash != rules_of(rule("da = '@device'"), kRoles).content_hash());
    CHECK(hash != rules_of(rule("sa = '@device'\nin_ttl = 0"), kRoles).content_hash());
    rules.set_role("device", "192.0.2.9");
    CHECK(hash != rules.content_hash());
    rules.set_role("device", "192.0.2.1");
    CHECK(hash == rules.content_hash());
}

TEST(GroupRules, a_copy_labels_by_itself) {
    GroupRules copy;
    {
        const auto rules = rules_of(rule("dp = 80"));
        copy = rules;
    }
    STRCMP_EQUAL("Hit", labelled(copy, ports(1, 80)).c_str());
}

TEST(GroupRules, an_address_is_written_in_one_way) {
    STRCMP_EQUAL("192.0.2.1", canonical_address("192.0.2.1").c_str());
    STRCMP_EQUAL("2001:db8::1", canonical_address("2001:0DB8:0::1").c_str());
    STRCMP_EQUAL("", canonical_address("192.0.2.1 ").c_str());
    STRCMP_EQUAL("", canonical_address("host").c_str());
}

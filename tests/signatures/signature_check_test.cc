#include "signatures/signature_check.h"

#include <string>

#include "tests/support/cpputest.h"

using curlew::signatures::check_signatures;
using curlew::signatures::SignatureSet;

namespace {

std::string payload(const std::string& id,
                    const std::string& pattern,
                    const std::string& examples) {
    return "[[signature]]\nid = '" + id + "'\ntitle = 't'\nreference = 'r'\nkind = 'payload'\n" +
           "pattern = '" + pattern + "'\nprotocol = 'p'\nexamples = " + examples + "\n";
}

std::string name(const std::string& id,
                 const std::string& pattern,
                 bool suffix,
                 const std::string& examples) {
    return "[[signature]]\nid = '" + id + "'\ntitle = 't'\nreference = 'r'\nkind = 'name'\n" +
           "pattern = '" + pattern + "'\nsuffix = " + (suffix ? "true" : "false") +
           "\nservice = 's'\nexamples = " + examples + "\n";
}

std::string found_in(const std::string& text) {
    const auto set = SignatureSet::parse(text, "t.toml");
    LONGS_EQUAL(0, set.problems().size());
    std::string all;
    for (const auto& problem : check_signatures(set)) {
        all += to_string(problem) + "\n";
    }
    return all;
}

}  // namespace

TEST_GROUP(SignatureCheck){};

TEST(SignatureCheck, a_set_true_to_its_examples_has_no_problem) {
    STRCMP_EQUAL(
        "",
        found_in(payload("a", "^ab", "{ match = ['abc'], no_match = ['bab'] }") +
                 name("b", "b.example", true, "{ match = ['x.B.example.'], no_match = ['c'] }"))
            .c_str());
}

TEST(SignatureCheck, an_example_that_fails_is_told_at_its_place) {
    STRCMP_EQUAL(
        "t.toml:8:30: the example does not match 'a'\n"
        "t.toml:8:55: the example matches 'a'\n",
        found_in(payload("a", "^ab", "{ match = ['abc', 'xab'], no_match = ['y', 'ab'] }"))
            .c_str());
}

TEST(SignatureCheck, a_name_example_that_fails_is_told_at_its_place) {
    STRCMP_EQUAL(
        "t.toml:9:23: the example does not match 'a'\n",
        found_in(name("a", "a.example", false, "{ match = ['x.a.example'], no_match = ['b'] }"))
            .c_str());
}

TEST(SignatureCheck, a_name_that_a_more_specific_one_takes_does_not_match_the_suffix) {
    STRCMP_EQUAL(
        "t.toml:9:23: the example does not match 'a'\n",
        found_in(name("a", "a.example", true, "{ match = ['w.a.example'], no_match = ['b'] }") +
                 name("w", "w.a.example", false, "{ match = ['w.a.example'], no_match = ['b'] }"))
            .c_str());
}

TEST(SignatureCheck, a_pattern_that_hyperscan_refuses_is_told_and_the_rest_still_checked) {
    const std::string found =
        found_in(payload("bad", "^(a)\\1", "{ match = ['aa'], no_match = ['b'] }") +
                 payload("good", "^ab", "{ match = ['x'], no_match = ['b'] }"));
    STRCMP_CONTAINS("t.toml:6:11: Hyperscan refuses the pattern: ", found.c_str());
    STRCMP_CONTAINS("\nt.toml:16:23: the example does not match 'good'\n", found.c_str());
}

TEST(SignatureCheck, a_pattern_that_matches_nothing_at_all_is_refused) {
    STRCMP_CONTAINS("t.toml:6:11: Hyperscan refuses the pattern: ",
                    found_in(payload("a", "a*", "{ match = ['a'], no_match = ['b'] }")).c_str());
}

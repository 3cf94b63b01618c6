#include "signatures/first_octets.h"

#include <string>

#include "tests/support/cpputest.h"

using curlew::signatures::first_octets;
using curlew::signatures::FirstOctets;
using curlew::signatures::kFirstPlaces;

namespace {

// What may stand at a place: the octets themselves up to 16 of them, else how many there are.
std::string at(const std::string& pattern, size_t place) {
    const auto octets = first_octets(pattern)[place];
    if (octets.count() > 16) {
        return std::to_string(octets.count());
    }
    std::string text;
    for (size_t octet = 0; octet < 256; ++octet) {
        text += octets[octet] ? std::string(1, static_cast<char>(octet)) : "";
    }
    return text;
}

bool rules_nothing_out(const std::string& pattern) {
    for (const auto& octets : first_octets(pattern)) {
        if (!octets.all()) {
            return false;
        }
    }
    return true;
}

}  // namespace

TEST_GROUP(FirstOctets){};

TEST(FirstOctets, letters_classes_and_escapes_stand_at_their_places) {
    const std::string pattern = "^a[bc]\\x64[e-g]\\.\\r[^\\x01-\\xff].\\d";
    STRCMP_EQUAL("a", at(pattern, 0).c_str());
    STRCMP_EQUAL("bc", at(pattern, 1).c_str());
    STRCMP_EQUAL("d", at(pattern, 2).c_str());
    STRCMP_EQUAL("efg", at(pattern, 3).c_str());
    STRCMP_EQUAL(".", at(pattern, 4).c_str());
    STRCMP_EQUAL("\r", at(pattern, 5).c_str());
    CHECK(at(pattern, 6) == std::string(1, '\0'));
    STRCMP_EQUAL("256", at(pattern, 7).c_str());
    STRCMP_EQUAL("0123456789", at(pattern, 8).c_str());
    STRCMP_EQUAL("256", at(pattern, 9).c_str());
}

TEST(FirstOctets, a_class_may_begin_with_its_bracket_and_end_with_a_hyphen) {
    STRCMP_EQUAL("]a", at("^[]a]", 0).c_str());
    STRCMP_EQUAL("-a", at("^[a-]", 0).c_str());
    STRCMP_EQUAL("-\\", at("^[\\x2d\\\\]", 0).c_str());
}

TEST(FirstOctets, branches_and_repeats_put_together_what_may_come) {
    STRCMP_EQUAL("ab", at("^a|^b", 0).c_str());
    STRCMP_EQUAL("abx", at("^(?:a|xx)?b", 0).c_str());
    STRCMP_EQUAL("ab", at("^a{2,3}b", 2).c_str());
    STRCMP_EQUAL("a", at("^a{2,3}b", 1).c_str());
    STRCMP_EQUAL("ab", at("^a*b.", 0).c_str());
    STRCMP_EQUAL("ab", at("^a+b.", 1).c_str());
    STRCMP_EQUAL("c", at("^(?:ab){4}c", 8).c_str());
    STRCMP_EQUAL("b", at("^(?:ab){4}c", 7).c_str());
    STRCMP_EQUAL("ab", at("^a*?b", 0).c_str());
    STRCMP_EQUAL("ab", at("^a*+b", 0).c_str());
}

TEST(FirstOctets, case_is_told_apart_unless_the_pattern_says_otherwise) {
    STRCMP_EQUAL("Aa", at("(?i)^a", 0).c_str());
    STRCMP_EQUAL("Bb", at("^a(?i:b)c", 1).c_str());
    STRCMP_EQUAL("c", at("^a(?i:b)c", 2).c_str());
    STRCMP_EQUAL("Bb", at("^a(?:(?i)b)c", 1).c_str());
    STRCMP_EQUAL("c", at("^a(?:(?i)b)c", 2).c_str());
    // Both cases are left out of what is turned around.
    CHECK(!first_octets("(?i)^[^a]")[0]['A']);
}

TEST(FirstOctets, behind_a_match_stands_anything_unless_the_payload_ends_there) {
    STRCMP_EQUAL("256", at("^ab", 2).c_str());
    STRCMP_EQUAL("256", at("^a(?:bc)?", 1).c_str());
    STRCMP_EQUAL("", at("^ab\\z", 2).c_str());
    STRCMP_EQUAL("\n", at("^ab$", 2).c_str());
    STRCMP_EQUAL("c", at("^ab(?:\\z|c)", 2).c_str());
    STRCMP_EQUAL(" ", at("^ab\\b ", 2).c_str());
}

TEST(FirstOctets, what_may_begin_anywhere_rules_nothing_out) {
    CHECK(rules_nothing_out("abc"));
    CHECK(rules_nothing_out("^a|b"));
    CHECK(rules_nothing_out("(?:^a)"));
    CHECK(rules_nothing_out(""));
}

TEST(FirstOctets, what_is_not_read_here_rules_nothing_out) {
    for (const char* pattern : {"^(?=a)b",
                                "^(a)\\1",
                                "^[[:alpha:]]",
                                "^\\x{61}",
                                "^\\Qa\\E",
                                "^\\xg0",
                                "^(?m)a",
                                "^(?P<n>a)",
                                "^a**",
                                "^*",
                                "^a{2,1}",
                                "^a{x}",
                                "^[a",
                                "^(a",
                                "^a)",
                                "^a\\",
                                "^[b-\\d]",
                                "^\\x6",
                                "(?x)^a b"}) {
        CHECK_TEXT(rules_nothing_out(pattern), pattern);
    }
}

TEST(FirstOctets, hostile_patterns_end_soon) {
    STRCMP_EQUAL("256",
                 at("^(?:(?:(?:a{0,60000}){0,60000}){60000}b?){60000}", kFirstPlaces - 1).c_str());
    CHECK(rules_nothing_out("^" + std::string(100'000, '(')));
    CHECK(rules_nothing_out("^" + std::string(200, '(') + "a" + std::string(200, ')')));
}

#include "signatures/pattern_fronts.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "signatures/scanner.h"
#include "tests/support/cpputest.h"

using curlew::signatures::Front;
using curlew::signatures::kFrontPlaces;
using curlew::signatures::kMostFronts;
using curlew::signatures::pattern_fronts;
using curlew::signatures::Scanner;
using curlew::signatures::Signature;
using curlew::signatures::SignatureSet;

namespace {

// What may stand at a place of a front: the octets themselves up to 16 of them, else how many.
std::string at(const Front& front, size_t place) {
    const auto& octets = front.octets[place];
    if (octets.count() > 16) {
        return std::to_string(octets.count());
    }
    std::string text;
    for (size_t octet = 0; octet < 256; ++octet) {
        text += octets[octet] ? std::string(1, static_cast<char>(octet)) : "";
    }
    return text;
}

// The same of every front, with a bar between them.
std::string at(const std::string& pattern, size_t place) {
    std::string text;
    for (const Front& front : pattern_fronts(pattern)) {
        text += (text.empty() ? "" : "|") + at(front, place);
    }
    return text;
}

// Of every front the fewest octets, and ! where they suffice.
std::string lengths(const std::string& pattern) {
    std::string text;
    for (const Front& front : pattern_fronts(pattern)) {
        text += (text.empty() ? "" : " ") + std::to_string(front.least_octets) +
                (front.suffices ? "!" : "");
    }
    return text;
}

bool rules_nothing_out(const std::string& pattern) {
    const auto fronts = pattern_fronts(pattern);
    if (fronts.size() != 1 || fronts.front().suffices || fronts.front().least_octets != 0) {
        return false;
    }
    for (const auto& octets : fronts.front().octets) {
        if (!octets.all()) {
            return false;
        }
    }
    return true;
}

}  // namespace

TEST_GROUP(PatternFronts){};

TEST(PatternFronts, letters_classes_and_escapes_stand_at_their_places) {
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

TEST(PatternFronts, a_class_may_begin_with_its_bracket_and_end_with_a_hyphen) {
    STRCMP_EQUAL("]a", at("^[]a]", 0).c_str());
    STRCMP_EQUAL("-a", at("^[a-]", 0).c_str());
    STRCMP_EQUAL("-\\", at("^[\\x2d\\\\]", 0).c_str());
}

TEST(PatternFronts, each_branch_is_one) {
    STRCMP_EQUAL("a|b", at("^a|^b", 0).c_str());
    STRCMP_EQUAL("b|a|x", at("^(?:a|xx)?b", 0).c_str());
    STRCMP_EQUAL("b|a", at("^a{2,3}b", 2).c_str());
    STRCMP_EQUAL("a|a", at("^a{2,3}b", 1).c_str());
    STRCMP_EQUAL("c", at("^(?:ab){4}c", 8).c_str());
    STRCMP_EQUAL("b", at("^(?:ab){4}c", 7).c_str());
    STRCMP_EQUAL("1|2|1|2", at("^(?:a|b)(?:1|2)", 1).c_str());
}

TEST(PatternFronts, what_repeats_without_end_may_stand_together_with_what_follows) {
    STRCMP_EQUAL("ab", at("^a*b.", 0).c_str());
    STRCMP_EQUAL("ab", at("^a+b.", 1).c_str());
    STRCMP_EQUAL("ab", at("^a*?b", 0).c_str());
    STRCMP_EQUAL("ab", at("^a{1,20}b", 1).c_str());
}

TEST(PatternFronts, what_repeats_stands_from_the_fewest_times_to_the_most) {
    // \z, so that nothing stands behind a match.
    for (const char* pattern :
         {"^ca{2,20}b\\z", "^ca{2,128}b\\z", "^ca{2,129}b\\z", "^ca{2,}b\\z"}) {
        STRCMP_EQUAL("c", at(pattern, 0).c_str());
        STRCMP_EQUAL("a", at(pattern, 1).c_str());
        STRCMP_EQUAL("a", at(pattern, 2).c_str());
        STRCMP_EQUAL("ab", at(pattern, 3).c_str());
        STRCMP_EQUAL("ab", at(pattern, 20).c_str());
    }
    STRCMP_EQUAL("b", at("^ca{2,20}b\\z", 21).c_str());
    STRCMP_EQUAL("", at("^ca{2,20}b\\z", 22).c_str());
    STRCMP_EQUAL("b", at("^ca{2,126}b\\z", 127).c_str());
    STRCMP_EQUAL("ab", at("^ca{2,128}b\\z", 127).c_str());
    STRCMP_EQUAL("ab", at("^ca{2,}b\\z", 127).c_str());
    STRCMP_EQUAL("a", at("^ca{126,}b\\z", 126).c_str());
    STRCMP_EQUAL("ab", at("^ca{126,}b\\z", 127).c_str());
    STRCMP_EQUAL("a", at("^ca{200,}b\\z", 127).c_str());
}

TEST(PatternFronts, more_branches_than_are_told_apart_stay_together) {
    STRCMP_EQUAL("123456789", at("^a(?:1|2|3|4|5|6|7|8|9)", 1).c_str());
    STRCMP_EQUAL("2", lengths("^a(?:1|2|3|4|5|6|7|8|9)").c_str());
    CHECK_EQUAL(kMostFronts, pattern_fronts("^(?:a|b)(?:c|d)(?:e|f)(?:g|h)").size());
    CHECK_EQUAL(9, at("^1|^2|^3|^4|^5|^6|^7|^8|^9", 0).size());
}

TEST(PatternFronts, octets_and_classes_alone_suffice) {
    STRCMP_EQUAL("3!", lengths("^a[bc].").c_str());
    STRCMP_EQUAL("1! 3!", lengths("^a|^b.{2}").c_str());
    STRCMP_EQUAL("128!", lengths("^a.{127}").c_str());
    STRCMP_EQUAL("129", lengths("^a.{128}").c_str());
    STRCMP_EQUAL("1", lengths("^a\\z").c_str());
    STRCMP_EQUAL("1", lengths("^a$").c_str());
    STRCMP_EQUAL("1", lengths("^a\\b").c_str());
    STRCMP_EQUAL("3", lengths("^a.*bc").c_str());
    STRCMP_EQUAL("0", lengths("^").c_str());
}

TEST(PatternFronts, what_ends_where_the_next_begins_suffices_too) {
    STRCMP_EQUAL("2!", lengths("^[^ ]* .").c_str());
    STRCMP_EQUAL("4!", lengths("^a+b{2}[^c]*c").c_str());
    STRCMP_EQUAL("3!", lengths("^.a{0,9}[^a]b").c_str());
    // More than one way.
    STRCMP_EQUAL("2", lengths("^a*.b").c_str());
    STRCMP_EQUAL("1", lengths("^a*b*c").c_str());
    STRCMP_EQUAL("1", lengths("^(?:ab)*c").c_str());
    STRCMP_EQUAL("129!", lengths("^a{128}b*c").c_str());
    STRCMP_EQUAL("130", lengths("^a{129}b*c").c_str());
    const Front front = pattern_fronts("^ab[^ ]{2,300} c").front();
    CHECK_EQUAL(2, front.runs_at);
    CHECK_EQUAL(3, front.runs.size());
    CHECK_EQUAL(255, front.runs.front().octets.count());
    CHECK_EQUAL(2, front.runs.front().least);
    CHECK_EQUAL(300, front.runs.front().most);
}

TEST(PatternFronts, what_comes_last_comes_as_often_as_it_must) {
    STRCMP_EQUAL("1!", lengths("^ab*").c_str());
    STRCMP_EQUAL("2!", lengths("^ab+").c_str());
    STRCMP_EQUAL("3!", lengths("^ab{2,9}c?").c_str());
    STRCMP_EQUAL("3", lengths("^ab{2,9}$").c_str());
}

// What suffices is decided without Hyperscan: each octet must be what it is to Hyperscan, which
// sees a pattern in a group that rules nothing out.
TEST(PatternFronts, mean_the_octets_that_hyperscan_means) {
    for (const char* pattern :
         {"^.",      "^\\d",     "^\\D",       "^\\w",          "^\\W",       "^\\s",
          "^\\S",    "^\\r",     "^\\n",       "^\\t",          "^[^a]",      "^[a-f\\d]",
          "^[\\s-]", "^[^\\w.]", "(?i)^[a-f]", "(?i)^[^k]",     "(?i)^\\x4b", "(?i)^[\\x41-\\x5a_]",
          "^[]^-]",  "^\\.",     "^(?i:q)",    "^[\\x80-\\xff]"}) {
        STRCMP_EQUAL_TEXT("1!", lengths(pattern).c_str(), pattern);
        Signature decided;
        decided.pattern = pattern;
        Signature scanned;
        scanned.pattern = std::string("(?:") + pattern + ")";
        const SignatureSet set = SignatureSet::of({decided, scanned});
        const Scanner scanner(set);
        Scanner::Scratch scratch(scanner);
        Scanner::Result result;
        for (unsigned octet = 0; octet < 256; ++octet) {
            const uint8_t payload[] = {static_cast<uint8_t>(octet)};
            scanner.scan(payload, {}, scratch, result);
            CHECK_TEXT(result.count != 1, (pattern + (" " + std::to_string(octet))).c_str());
        }
    }
}

// Each pattern is decided here, and in a group scanned by Hyperscan: both hit, and end alike.
TEST(PatternFronts, runs_hit_where_hyperscan_does) {
    constexpr const char* kPatterns[] = {"^a*b.",
                                         "^[^c]{1,3}cab*",
                                         "^.(?:a|bc*d|b{2,4}[^bd])?c[ab]",
                                         "^(?:a+b|[bc]{0,2}d)(?:b*c)?d",
                                         "^ab{0,60}[^b]|^[^a]{3,}a",
                                         "^b[^\\x00]*\\x00[ab]"};
    std::mt19937 random(7);
    for (const char* pattern : kPatterns) {
        Signature decided;
        decided.pattern = pattern;
        Signature scanned;
        scanned.pattern = std::string("(?:") + pattern + ")";
        CHECK_TEXT(
            lengths(pattern).find("! ") != std::string::npos || lengths(pattern).ends_with("!"),
            pattern);
        CHECK_TEXT(rules_nothing_out(scanned.pattern), pattern);
        const SignatureSet set = SignatureSet::of({decided, scanned});
        const Scanner scanner(set);
        Scanner::Scratch scratch(scanner);
        Scanner::Result result;
        size_t hits = 0;
        for (int round = 0; round < 3000; ++round) {
            std::vector<uint8_t> payload(1 + random() % 9);
            for (uint8_t& octet : payload) {
                octet = static_cast<uint8_t>("abcd\0"[random() % 5]);
            }
            scanner.scan(payload, {}, scratch, result);
            const std::string text(payload.begin(), payload.end());
            CHECK_TEXT(result.count != 1, (std::string(pattern) + ": " + text).c_str());
            if (result.count == 2) {
                CHECK_EQUAL(result.hits[1].end_offset, result.hits[0].end_offset);
                ++hits;
            }
        }
        CHECK_TEXT(hits > 20, pattern);
    }
}

TEST(PatternFronts, case_is_told_apart_unless_the_pattern_says_otherwise) {
    STRCMP_EQUAL("Aa", at("(?i)^a", 0).c_str());
    STRCMP_EQUAL("Bb", at("^a(?i:b)c", 1).c_str());
    STRCMP_EQUAL("c", at("^a(?i:b)c", 2).c_str());
    STRCMP_EQUAL("Bb", at("^a(?:(?i)b)c", 1).c_str());
    STRCMP_EQUAL("c", at("^a(?:(?i)b)c", 2).c_str());
    // Both cases are left out of what is turned around.
    CHECK(!pattern_fronts("(?i)^[^a]").front().octets[0]['A']);
}

TEST(PatternFronts, behind_a_match_stands_anything_unless_the_payload_ends_there) {
    STRCMP_EQUAL("256", at("^ab", 2).c_str());
    STRCMP_EQUAL("256", at("^a(?:bc)?", 1).c_str());
    STRCMP_EQUAL("256", at("^a(?:b|)", 1).substr(2).c_str());
    STRCMP_EQUAL("", at("^ab\\z", 2).c_str());
    STRCMP_EQUAL("\n", at("^ab$", 2).c_str());
    STRCMP_EQUAL("c", at("^ab(?:c|\\z)", 2).substr(0, 1).c_str());
    STRCMP_EQUAL("", at("^ab(?:c|\\z)", 2).substr(2).c_str());
    STRCMP_EQUAL(" ", at("^ab\\b ", 2).c_str());
}

TEST(PatternFronts, what_may_begin_anywhere_rules_nothing_out) {
    CHECK(rules_nothing_out("abc"));
    CHECK(rules_nothing_out("^a|b"));
    CHECK(rules_nothing_out("(?:^a)"));
    CHECK(rules_nothing_out(""));
}

TEST(PatternFronts, what_is_not_read_here_rules_nothing_out) {
    for (const char* pattern :
         {"^(?=a)b",   "^(a)\\1", "^[[:alpha:]]", "^\\x{61}", "^\\Qa\\E", "^\\xg0",  "^(?m)a",
          "^(?P<n>a)", "^a*+b",   "^a**",         "^*",       "^a{2,1}",  "^a{x}",   "^[a",
          "^(a",       "^a)",     "^a\\",         "^[b-\\d]", "^\\x6",    "(?x)^a b"}) {
        CHECK_TEXT(rules_nothing_out(pattern), pattern);
    }
}

TEST(PatternFronts, hostile_patterns_end_soon) {
    STRCMP_EQUAL("256",
                 at("^(?:(?:(?:a{0,60000}){0,60000}){60000}b?){60000}", kFrontPlaces - 1).c_str());
    CHECK(rules_nothing_out("^" + std::string(100'000, '(')));
    // Unrolled, 8 to the power of 20.
    std::string nested = "[ab]";
    for (int depth = 0; depth < 20; ++depth) {
        nested = "(?:" + nested + "|c){8}";
    }
    const std::vector<Front> fronts = pattern_fronts("^" + nested);
    CHECK(fronts.size() <= kMostFronts);
    CHECK(std::any_of(fronts.begin(), fronts.end(), [](const Front& front) {
        return front.octets[0]['b'] && front.octets[kFrontPlaces - 1]['c'];
    }));
    CHECK(rules_nothing_out("^" + std::string(200, '(') + "a" + std::string(200, ')')));
}

#include "signatures/pattern_syntax.h"

#include <string>

#include "tests/support/cpputest.h"

using curlew::signatures::parse_pattern;
using curlew::signatures::PatternNode;

TEST_GROUP(PatternSyntax){};

TEST(PatternSyntax, a_pattern_is_a_choice_of_sequences) {
    const auto whole = parse_pattern("^ab|c{2,}?");
    CHECK(whole.has_value());
    CHECK(whole->kind == PatternNode::Kind::choice);
    CHECK_EQUAL(2, whole->parts.size());
    const PatternNode& first = whole->parts[0];
    CHECK(first.kind == PatternNode::Kind::sequence);
    CHECK_EQUAL(3, first.parts.size());
    CHECK(first.parts[0].kind == PatternNode::Kind::begin);
    CHECK(first.parts[2].octets['b']);
    CHECK_EQUAL(1, first.parts[2].octets.count());
    const PatternNode& repeat = whole->parts[1].parts.front();
    CHECK(repeat.kind == PatternNode::Kind::repeat);
    CHECK_EQUAL(2, repeat.least);
    CHECK_EQUAL(UINT32_MAX, repeat.most);
}

TEST(PatternSyntax, what_is_not_read_gives_nothing) {
    for (const char* pattern : {"a++", "(?=a)", "\\x{41}", "[[:alpha:]]", "(a", "a)", "*", "\\"}) {
        CHECK_TEXT(!parse_pattern(pattern), pattern);
    }
    CHECK(!parse_pattern(std::string(100, '(') + std::string(100, ')')));
}

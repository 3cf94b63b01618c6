#include "signatures/example_text.h"

#include <string>

#include "tests/support/cpputest.h"

using curlew::signatures::decode_example;

TEST_GROUP(ExampleText){};

namespace {

std::string decoded(std::string_view text) {
    std::string octets;
    STRCMP_EQUAL("", decode_example(text, octets).c_str());
    return octets;
}

bool is_refused(std::string_view text) {
    std::string octets;
    return !decode_example(text, octets).empty();
}

}  // namespace

TEST(ExampleText, plain_text_is_itself) {
    CHECK(decoded("GET / HTTP/1.1") == "GET / HTTP/1.1");
}

TEST(ExampleText, escapes_stand_for_octets) {
    CHECK(decoded(R"(a\r\n\t\\\x00\xfF)") == std::string("a\r\n\t\\\0\xff", 7));
}

TEST(ExampleText, an_unknown_or_cut_escape_is_refused) {
    CHECK(is_refused(R"(\q)"));
    CHECK(is_refused(R"(\x1)"));
    CHECK(is_refused(R"(\xg0)"));
    CHECK(is_refused("end\\"));
}

TEST(ExampleText, hex_digits_stand_in_pairs_with_blanks_between) {
    CHECK(decoded("hex:16 0301\n  fE") == "\x16\x03\x01\xfe");
}

TEST(ExampleText, a_star_repeats_the_octet_before_it) {
    CHECK(decoded("hex:01 41*3 02") ==
          "\x01"
          "AAA\x02");
}

TEST(ExampleText, half_a_pair_and_a_foreign_letter_are_refused) {
    CHECK(is_refused("hex:163"));
    CHECK(is_refused("hex:1 6"));
    CHECK(is_refused("hex:zz"));
}

TEST(ExampleText, a_count_of_nothing_or_too_much_is_refused) {
    CHECK(is_refused("hex:00*"));
    CHECK(is_refused("hex:00*0"));
    CHECK(is_refused("hex:00*4097"));
    CHECK(is_refused("hex:00*99999999999999999999999999"));
    CHECK(is_refused("hex:*3"));
}

TEST(ExampleText, the_longest_example_passes_and_one_octet_more_does_not) {
    LONGS_EQUAL(4096, decoded("hex:00*4096").size());
    CHECK(is_refused("hex:00*4096 00"));
    LONGS_EQUAL(4096, decoded(std::string(4096, 'a')).size());
    CHECK(is_refused(std::string(4097, 'a')));
}

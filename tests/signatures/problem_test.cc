#include "signatures/problem.h"

#include "tests/support/cpputest.h"

TEST_GROUP(Problem){};

TEST(Problem, is_told_with_its_place) {
    STRCMP_EQUAL("a.toml:3:7: 'id' is missing",
                 to_string(curlew::signatures::Problem{"a.toml", 3, 7, "'id' is missing"}).c_str());
}

TEST(Problem, is_one_line_whatever_it_names) {
    STRCMP_EQUAL(
        "a?b.toml: no key '??[2J'",
        to_string(curlew::signatures::Problem{"a\nb.toml", 0, 0, "no key '\x1b\x7f[2J'"}).c_str());
}

TEST(Problem, of_a_whole_file_has_no_place) {
    STRCMP_EQUAL("a.toml: cannot be read",
                 to_string(curlew::signatures::Problem{"a.toml", 0, 0, "cannot be read"}).c_str());
}

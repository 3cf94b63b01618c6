#include "signatures/problem.h"

#include "tests/support/cpputest.h"

TEST_GROUP(Problem){};

TEST(Problem, is_told_with_its_place) {
    STRCMP_EQUAL("a.toml:3:7: 'id' is missing",
                 to_string(curlew::signatures::Problem{"a.toml", 3, 7, "'id' is missing"}).c_str());
}

TEST(Problem, of_a_whole_file_has_no_place) {
    STRCMP_EQUAL("a.toml: cannot be read",
                 to_string(curlew::signatures::Problem{"a.toml", 0, 0, "cannot be read"}).c_str());
}

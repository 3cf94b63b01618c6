#include "signatures/length_field.h"

#include <string>
#include <vector>

#include "signatures/toml_reader.h"
#include "tests/support/cpputest.h"

using curlew::signatures::is_right;
using curlew::signatures::LengthField;
using curlew::signatures::parse_toml;
using curlew::signatures::Problem;
using curlew::signatures::read_length_field;
using curlew::signatures::TableReader;

namespace {

// Empty when it was read, else its problems.
std::string read(const std::string& text, LengthField& field) {
    std::vector<Problem> problems;
    const std::string file = "a.toml";
    const auto document = parse_toml(text, file, problems);
    TableReader table(*document, file, problems);
    field = read_length_field(table);
    std::string all;
    for (const Problem& problem : problems) {
        all += to_string(problem) + "\n";
    }
    return all;
}

}  // namespace

TEST_GROUP(LengthField){};

TEST(LengthField, counts_with_what_is_added) {
    const std::vector<uint8_t> payload = {9, 0, 3, 0};
    CHECK(is_right({2, 1, false, 1}, payload));
    CHECK(!is_right({2, 1, false, 2}, payload));
    CHECK(is_right({0, 1, false, -5}, payload));
    CHECK(is_right({2, 2, true, 1}, payload));
    CHECK(!is_right({2, 2, false, 1}, payload));
    CHECK(is_right({1, 2, false, 1}, payload));
    CHECK(is_right({0, 4, true, -196613}, payload));
}

TEST(LengthField, behind_the_payloads_end_is_wrong) {
    const std::vector<uint8_t> payload = {1, 3};
    CHECK(!is_right({2, 1, false, 0}, payload));
    CHECK(!is_right({1, 2, false, 0}, payload));
    CHECK(!is_right({0, 1, false, 0}, {}));
}

TEST(LengthField, that_is_not_there_is_right) {
    CHECK(is_right({}, {}));
    CHECK(is_right({}, std::vector<uint8_t>{1}));
}

TEST(LengthField, is_read_from_a_table) {
    LengthField field;
    STRCMP_EQUAL("", read("at = 3\noctets = 2\norder = 'little'\nplus = -4", field).c_str());
    CHECK_EQUAL(3, field.at);
    CHECK_EQUAL(2, field.octets);
    CHECK(field.low_first);
    CHECK_EQUAL(-4, field.plus);
    STRCMP_EQUAL("", read("octets = 1", field).c_str());
    CHECK(!field.low_first);
    STRCMP_CONTAINS("a length has octets", read("at = 3", field).c_str());
    STRCMP_CONTAINS("octets", read("octets = 5", field).c_str());
    STRCMP_CONTAINS("neither 'big' nor 'little'", read("octets = 2\norder = 'x'", field).c_str());
    STRCMP_CONTAINS("ad", read("octets = 2\nad = 1", field).c_str());
}

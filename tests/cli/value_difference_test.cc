#include "cli/value_difference.h"

#include <rapidjson/document.h>

#include <string>

#include "tests/support/cpputest.h"

using curlew::cli::differences_of;
using curlew::cli::equal_values;
using curlew::cli::ValueDifference;

TEST_GROUP(ValueDifference) {
    rapidjson::Document golden;
    rapidjson::Document ours;

    std::vector<ValueDifference> find(const char* left, const char* right) {
        golden.Parse<rapidjson::kParseFullPrecisionFlag>(left);
        ours.Parse<rapidjson::kParseFullPrecisionFlag>(right);
        return differences_of("tls", &golden, &ours);
    }

    // The paths that differ, with a space between.
    std::string paths(const char* left, const char* right) {
        std::string text;
        for (const ValueDifference& one : find(left, right)) {
            text += (text.empty() ? "" : " ") + one.path;
        }
        return text;
    }
};

TEST(ValueDifference, equal_values_have_none) {
    STRCMP_EQUAL(
        "", paths(R"({"a":[1,{"b":null}],"c":"x"})", R"({"c":"x","a":[1,{"b":null}]})").c_str());
}

TEST(ValueDifference, members_are_named_from_the_outside) {
    STRCMP_EQUAL("tls.a.b", paths(R"({"a":{"b":1,"c":2}})", R"({"a":{"b":3,"c":2}})").c_str());
}

TEST(ValueDifference, lists_of_objects_are_passed_through) {
    const auto found = find(R"({"s_cert":[{"n":1},{"n":2,"extensions":["a"]}]})",
                            R"({"s_cert":[{"n":1},{"n":2,"extensions":["b"]}]})");
    LONGS_EQUAL(1, found.size());
    STRCMP_EQUAL("tls.s_cert.extensions", found[0].path.c_str());
    STRCMP_EQUAL("tls.s_cert[1].extensions", found[0].place.c_str());
}

TEST(ValueDifference, lists_of_other_lengths_differ_as_a_whole) {
    STRCMP_EQUAL("tls.s_cert",
                 paths(R"({"s_cert":[{"n":1}]})", R"({"s_cert":[{"n":1},{"n":1}]})").c_str());
    STRCMP_EQUAL("tls.s_cert", paths(R"({"s_cert":[]})", R"({"s_cert":[{"n":1}]})").c_str());
}

TEST(ValueDifference, lists_of_plain_values_differ_as_a_whole) {
    STRCMP_EQUAL("tls", paths("[1,2]", "[1,3]").c_str());
    STRCMP_EQUAL("tls", paths(R"([{"a":1},2])", R"([{"a":2},2])").c_str());
}

TEST(ValueDifference, an_absent_member_is_null_on_its_side) {
    auto found = find(R"({"a":1})", R"({"b":1})");
    LONGS_EQUAL(2, found.size());
    STRCMP_EQUAL("tls.a", found[0].path.c_str());
    CHECK(found[0].golden != nullptr);
    CHECK(found[0].ours == nullptr);
    STRCMP_EQUAL("tls.b", found[1].path.c_str());
    CHECK(found[1].golden == nullptr);
    found = differences_of("tls", &golden, nullptr);
    LONGS_EQUAL(1, found.size());
    STRCMP_EQUAL("tls", found[0].path.c_str());
}

TEST(ValueDifference, another_type_differs_as_a_whole) {
    STRCMP_EQUAL("tls.a", paths(R"({"a":{"b":1}})", R"({"a":[{"b":1}]})").c_str());
    STRCMP_EQUAL("tls.a", paths(R"({"a":null})", R"({"a":0})").c_str());
}

TEST(ValueDifference, numbers_have_no_tolerance) {
    STRCMP_EQUAL("tls", paths("76.914729", "76.91472868").c_str());
    STRCMP_EQUAL("tls", paths("0.1", "0.10000000000000002").c_str());
    STRCMP_EQUAL("", paths("0.1", "0.10").c_str());
    STRCMP_EQUAL("", paths("3", "3.0").c_str());
    STRCMP_EQUAL("", paths("-3", "-3.0").c_str());
    STRCMP_EQUAL("tls", paths("-3", "3.0").c_str());
    // What a program makes of nanoseconds that keeps them in a double.
    STRCMP_EQUAL("tls", paths("1546348865407752762", "1.5463488654077527e+18").c_str());
    STRCMP_EQUAL("", paths("1546348865407752704", "1.5463488654077527e+18").c_str());
    STRCMP_EQUAL("tls", paths("9007199254740992.0", "9007199254740993").c_str());
    STRCMP_EQUAL("tls", paths("18446744073709551615", "1.8446744073709552e+19").c_str());
    STRCMP_EQUAL("tls", paths("-9007199254740993", "-9007199254740992.0").c_str());
}

#include "collector/json_line.h"

#include <rapidjson/writer.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>

#include "collector/json_output.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

// The array that `write` fills, without its newline.
template <typename Json, typename Write>
std::string array_of(Json& json, Write write) {
    json.clear();
    json.start_array();
    write(json);
    json.end_array();
    const std::string_view line = json.finish();
    CHECK(line.ends_with('\n'));
    return std::string(line.substr(0, line.size() - 1));
}

}  // namespace

TEST_GROUP(JsonLine) {
    JsonLine json;
    JsonOutput<rapidjson::Writer<rapidjson::StringBuffer>> model;

    // What RapidJSON makes of the same calls.
    template <typename Write>
    void check_like_rapidjson(Write write) {
        CHECK(array_of(model, write) == array_of(json, write));
    }
};

TEST(JsonLine, commas_stand_between_values_only) {
    json.start_object();
    json.number("a", 1);
    json.key("b");
    json.start_array();
    json.end_array();
    json.key("c");
    json.start_array();
    json.start_object();
    json.null("d");
    json.end_object();
    json.text("e");
    json.raw("1.50,2");
    json.number(3);
    json.end_array();
    json.hex("f", "\x01\xff");
    json.end_object();
    STRCMP_EQUAL("{\"a\":1,\"b\":[],\"c\":[{\"d\":null},\"e\",1.50,2,3],\"f\":\"01ff\"}\n",
                 std::string(json.finish()).c_str());
}

TEST(JsonLine, what_was_cleared_is_gone) {
    json.start_object();
    json.number("a", 1);
    json.clear();
    json.start_object();
    json.end_object();
    STRCMP_EQUAL("{}\n", std::string(json.finish()).c_str());
}

TEST(JsonLine, the_buffer_grows_with_the_line) {
    const std::string text(1'000'000, 'x');
    json.start_array();
    json.text("y");
    json.text(text);
    json.end_array();
    CHECK("[\"y\",\"" + text + "\"]\n" == json.finish());
}

TEST(JsonLine, strings_are_escaped_like_rapidjson) {
    std::string text;
    for (int octet = 0; octet < 0x80; ++octet) {
        text.push_back(static_cast<char>(octet));
    }
    text += "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    check_like_rapidjson([&](auto& out) {
        out.text("");
        out.text(text);
        out.text("/\"\\");
    });
    // Each octet at each place of a text that is looked at by words.
    for (const char octet : text.substr(0, 0x80)) {
        for (size_t at = 0; at < 17; ++at) {
            std::string words(17, '!');
            words[at] = octet;
            check_like_rapidjson([&](auto& out) { out.text(words); });
        }
    }
}

TEST(JsonLine, numbers_have_the_digits_of_rapidjson) {
    check_like_rapidjson([](auto& out) {
        out.number(0);
        for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10) {
            out.number(power - 1);
            out.number(power);
            out.number(power + 1);
        }
        out.number(UINT32_MAX);
        out.number(uint64_t{UINT32_MAX} + 1);
        out.number(UINT64_MAX);
    });
}

TEST(JsonLine, doubles_have_the_digits_of_rapidjson) {
    const unsigned seed = std::random_device{}();
    std::mt19937_64 random(seed);
    for (int i = 0; i < 2000; ++i) {
        const auto any = std::bit_cast<double>(random());
        const double share = static_cast<double>(random() % 1000) / 997.0;
        const auto whole = static_cast<double>(random() >> (random() % 64));
        check_like_rapidjson([&](auto& out) {
            out.real(std::isfinite(any) ? any : 0.0);
            out.real(whole);
            out.real(-whole);
            out.real(whole + 0.5);
            out.real(share);
            out.real(-share);
        });
    }
}

}  // namespace curlew::collector

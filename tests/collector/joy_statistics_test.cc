#include "collector/joy_statistics.h"

#include <rapidjson/document.h>

#include <string>

#include "tests/collector/joy_records.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string text_of(const proto::JoyRecord& record,
                    void (*write)(JsonLine&, const proto::JoyRecord&)) {
    JsonLine json;
    json.start_object();
    write(json, record);
    json.end_object();
    return std::string(json.finish());
}

rapidjson::Document statistics_of(const proto::JoyRecord& record) {
    rapidjson::Document document;
    document.Parse(text_of(record, &write_joy_statistics).c_str());
    CHECK_FALSE(document.HasParseError());
    return document;
}

}  // namespace

TEST_GROUP(JoyStatistics) {
    proto::FlowSummary flow = joy_flow();

    // Of the flow as it stands: an assignment makes them anew.
    proto::JoyRecord& record() {
        return *flow.mutable_joy();
    }
    proto::JoySide& out() {
        return *record().mutable_record();
    }
};

TEST(JoyStatistics, without_payload_are_256_zeros) {
    const auto numbers = statistics_of(record());
    CHECK_EQUAL(256u, numbers["byte_dist"].Size());
    CHECK_EQUAL(0, numbers["byte_dist"][0].GetInt());
    CHECK_FALSE(numbers.HasMember("byte_dist_mean"));
    CHECK_FALSE(numbers.HasMember("entropy"));
    STRCMP_EQUAL("{}\n", text_of(record(), &write_joy_walsh).c_str());
}

TEST(JoyStatistics, shift_all_counts_until_the_largest_fits_eight_bits) {
    count_joy_octets(out(), std::string(1024, 'a') + std::string(7, 'b') + std::string(8, 'c'));
    const auto numbers = statistics_of(record());
    CHECK_EQUAL(128, numbers["byte_dist"]['a'].GetInt());
    CHECK_EQUAL(0, numbers["byte_dist"]['b'].GetInt());
    CHECK_EQUAL(1, numbers["byte_dist"]['c'].GetInt());
}

TEST(JoyStatistics, leave_255_as_it_is) {
    count_joy_octets(out(), std::string(255, 'a'));
    CHECK_EQUAL(255, statistics_of(record())["byte_dist"]['a'].GetInt());
}

TEST(JoyStatistics, entropy_is_that_of_shifted_counts_over_all_octets) {
    count_joy_octets(out(), std::string(512, 'a') + std::string(512, 'b'));
    // Both counts become 128: -2 * 0.125 * log2(0.125), and not 1.
    const auto numbers = statistics_of(record());
    DOUBLES_EQUAL(0.75, numbers["entropy"].GetDouble(), 0);
    DOUBLES_EQUAL(768, numbers["total_entropy"].GetDouble(), 0);
}

TEST(JoyStatistics, entropy_has_the_digits_of_single_precision) {
    count_joy_octets(out(), "abbcccddddeeeee");
    // In double precision 2.149255 and 32.238831.
    STRCMP_CONTAINS("\"entropy\":2.149256,\"total_entropy\":32.238833",
                    text_of(record(), &write_joy_statistics).c_str());
}

TEST(JoyStatistics, deviation_of_one_side_is_the_samples) {
    count_joy_octets(out(), "ab");
    out().set_byte_mean(97.5);
    out().set_byte_squares(0.5);
    const auto numbers = statistics_of(record());
    DOUBLES_EQUAL(97.5, numbers["byte_dist_mean"].GetDouble(), 0);
    DOUBLES_EQUAL(0.707107, numbers["byte_dist_std"].GetDouble(), 0);
}

TEST(JoyStatistics, deviation_of_one_octet_is_0) {
    count_joy_octets(out(), "a");
    out().set_byte_mean(97);
    DOUBLES_EQUAL(0, statistics_of(record())["byte_dist_std"].GetDouble(), 0);
}

TEST(JoyStatistics, deviation_of_two_sides_divides_the_squares_twice) {
    flow = joy_flow_with_twin();
    count_joy_octets(out(), "abc");
    count_joy_octets(*record().mutable_twin(), "d");
    out().set_byte_mean(98);
    out().set_byte_squares(12);
    record().mutable_twin()->set_byte_mean(100);
    const auto numbers = statistics_of(record());
    // 0.75 * 98 + 0.25 * 100; the root of 0.75 * 12 / 3.
    DOUBLES_EQUAL(98.5, numbers["byte_dist_mean"].GetDouble(), 0);
    DOUBLES_EQUAL(1.732051, numbers["byte_dist_std"].GetDouble(), 0);
}

TEST(JoyStatistics, walsh_sums_are_divided_by_octets_with_five_digits) {
    count_joy_octets(out(), "abc");
    out().mutable_walsh_sums()->Resize(0, 0);
    for (const int sum : {100, -1, 0, 1'000'000}) {
        out().add_walsh_sums(sum);
    }
    STRCMP_EQUAL("{\"wht\":[33.333,-0.33333,0,3.3333e+05]}\n",
                 text_of(record(), &write_joy_walsh).c_str());
}

TEST(JoyStatistics, walsh_sums_of_two_sides_wrap_as_32_bit_numbers) {
    flow = joy_flow_with_twin();
    for (proto::JoySide* side : {&out(), record().mutable_twin()}) {
        side->set_payload_octets(1);
        for (int i = 0; i < 4; ++i) {
            side->add_walsh_sums(i == 0 ? INT32_MAX : 0);
        }
    }
    STRCMP_EQUAL("{\"wht\":[-1,0,0,0]}\n", text_of(record(), &write_joy_walsh).c_str());
}

TEST(JoyStatistics, reals_have_six_decimals) {
    JsonLine json;
    json.start_object();
    write_joy_real(json, "x", 0.1);
    json.end_object();
    STRCMP_EQUAL("{\"x\":0.100000}\n", std::string(json.finish()).c_str());
}

}  // namespace curlew::collector

#include "collector/joy_tcp_fields.h"

#include <string>

#include "tests/collector/joy_records.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr uint32_t kSyn = 2;
constexpr uint32_t kAck = 16;
const std::string kMaximumSegment("\x02\x04\x05\xb4", 4);

}  // namespace

TEST_GROUP(JoyTcpFields) {
    proto::FlowSummary flow = joy_flow_with_twin();
    proto::JoyRecord& record = *flow.mutable_joy();
    proto::JoySide& out = *record.mutable_record();
    proto::JoySide& in = *record.mutable_twin();

    std::string text_of(void (*write)(JsonLine&, const proto::JoyRecord&)) {
        JsonLine json;
        json.start_object();
        write(json, record);
        json.end_object();
        std::string text(json.finish());
        text.pop_back();
        return text;
    }
    void expect_options(const char* wanted, const std::string& options) {
        out.mutable_tcp_start()->set_flags(kSyn);
        out.mutable_tcp_start()->set_options(options);
        const std::string text = text_of(&write_joy_tcp);
        const size_t at = text.find("\"opts\":");
        STRCMP_EQUAL(wanted, text.substr(at + 7, text.size() - at - 10).c_str());
    }
};

TEST(JoyTcpFields, nothing_is_said_without_a_beginning) {
    STRCMP_EQUAL("{}", text_of(&write_joy_tcp).c_str());
}

TEST(JoyTcpFields, a_beginning_has_flags_window_and_options) {
    out.mutable_tcp_start()->set_flags(kSyn);
    out.mutable_tcp_start()->set_sequence_number(5);
    out.mutable_tcp_start()->set_window_size(512);
    out.mutable_tcp_start()->set_options(kMaximumSegment);
    in.mutable_tcp_start()->set_flags(kSyn | kAck);
    STRCMP_EQUAL(
        "{\"tcp\":{\"first_seq\":5,"
        "\"out\":{\"flags\":\"S\",\"first_window_size\":512,\"opt_len\":4,\"opts\":[{\"mss\":1460}]"
        "},"
        "\"in\":{\"flags\":\"SA\"}}}",
        text_of(&write_joy_tcp).c_str());
}

TEST(JoyTcpFields, the_first_number_is_the_twins_failing_the_records) {
    in.mutable_tcp_start()->set_flags(kSyn);
    in.mutable_tcp_start()->set_sequence_number(9);
    STRCMP_EQUAL("{\"tcp\":{\"first_seq\":9,\"in\":{\"flags\":\"S\"}}}",
                 text_of(&write_joy_tcp).c_str());
}

TEST(JoyTcpFields, options_are_named) {
    expect_options(
        "[{\"noop\":null},{\"ws\":7},{\"sackp\":null},{\"ts\":{\"val\":1,\"ecr\":2}},"
        "{\"kind\":30,\"data\":\"aabb\"}]",
        std::string("\x01\x03\x03\x07\x04\x02\x08\x0a\0\0\0\x01\0\0\0\x02\x1e\x04\xaa\xbb", 20));
}

TEST(JoyTcpFields, options_end_with_their_end) {
    expect_options("[{\"noop\":null}]", std::string("\x01\0\x01", 3));
}

TEST(JoyTcpFields, an_option_of_another_length_is_malformed_and_the_next_is_read) {
    expect_options("[{\"malformed\":{\"kind\":2,\"data\":\"05\",\"len\":1}},{\"noop\":null}]",
                   std::string("\x02\x03\x05\x01", 4));
}

TEST(JoyTcpFields, a_length_that_cannot_be_ends_the_list) {
    expect_options("[{\"malformed\":{\"kind\":2,\"len\":9}}]", std::string("\x02\x09\x05\x01", 4));
    expect_options("[{\"malformed\":{\"kind\":2,\"len\":0}}]", std::string("\x02\0\x01\x01", 4));
    expect_options("[{\"malformed\":{\"kind\":2,\"len\":1}}]", std::string("\x02\x01\x01\x01", 4));
    expect_options("[{\"noop\":null}]", std::string("\x01\x02", 2));
}

TEST(JoyTcpFields, segments_are_told_from_both_sides_in_order_of_time) {
    add_joy_segment(out, 0, 100, 0, kSyn, kMaximumSegment);
    add_joy_segment(in, 0, 7000, 101, kSyn | kAck);
    add_joy_segment(out, 1700, 101, 7001, kAck);
    STRCMP_EQUAL(
        "{\"ppi\":["
        "{\"seq\":100,\"ack\":0,\"rseq\":0,\"rack\":0,\"b\":0,\"olen\":4,\"dir\":\">\",\"t\":0,"
        "\"flags\":\"S\",\"opts\":[{\"mss\":1460}]},"
        "{\"seq\":7000,\"ack\":101,\"rseq\":0,\"rack\":1,\"b\":0,\"olen\":0,\"dir\":\"<\",\"t\":0,"
        "\"flags\":\"SA\",\"opts\":[]},"
        "{\"seq\":101,\"ack\":7001,\"rseq\":1,\"rack\":1,\"b\":0,\"olen\":0,\"dir\":\">\",\"t\":1,"
        "\"flags\":\"A\",\"opts\":[]}]}",
        text_of(&write_joy_segments).c_str());
}

TEST(JoyTcpFields, of_equal_times_the_twin_speaks_first_and_is_the_client) {
    in.set_start_us(out.start_us());
    add_joy_segment(out, 0, 100, 50, kAck);
    add_joy_segment(in, 0, 50, 100, kAck);
    const std::string text = text_of(&write_joy_segments);
    STRCMP_CONTAINS("[{\"seq\":50,\"ack\":100,\"rseq\":0,\"rack\":0,", text.c_str());
    STRCMP_CONTAINS("\"dir\":\">\",\"t\":0,\"flags\":\"A\",\"opts\":[]},{\"seq\":100",
                    text.c_str());
    STRCMP_CONTAINS("\"dir\":\"<\"", text.c_str());
}

TEST(JoyTcpFields, relative_numbers_are_differences_of_numbers) {
    record.clear_twin();
    add_joy_segment(out, 0, 0xffffffff, 0, kAck);
    add_joy_segment(out, 1, 4, 0, kAck);
    add_joy_segment(out, 2, 2, 0, kAck);
    const std::string text = text_of(&write_joy_segments);
    // The wrap is no step of five, but 4 is higher than 4,294,967,295 all the same.
    STRCMP_CONTAINS("\"rseq\":-4294967291", text.c_str());
    STRCMP_CONTAINS("\"rseq\":-2,", text.c_str());
}

TEST(JoyTcpFields, of_two_sides_the_segments_of_one_alone_are_not_told) {
    add_joy_segment(in, 0, 100, 0, kSyn);
    STRCMP_EQUAL("{}", text_of(&write_joy_segments).c_str());
    in.clear_segments();
    add_joy_segment(out, 0, 100, 0, kSyn);
    STRCMP_EQUAL("{}", text_of(&write_joy_segments).c_str());
    record.clear_twin();
    STRCMP_CONTAINS("\"seq\":100", text_of(&write_joy_segments).c_str());
}

TEST(JoyTcpFields, keep_twenty_four_octets_of_options_and_tell_how_many_there_were) {
    record.clear_twin();
    add_joy_segment(out, 0, 100, 0, kSyn, std::string(32, '\x01'));
    add_joy_segment(out, 1, 101, 0, kAck, kMaximumSegment);
    const std::string text = text_of(&write_joy_segments);
    STRCMP_CONTAINS("\"olen\":32", text.c_str());
    STRCMP_CONTAINS("[{\"mss\":1460}]", text.c_str());
}

TEST(JoyTcpFields, milliseconds_are_rounded_down_and_wrap) {
    CHECK_EQUAL(1u, joy_milliseconds(1000, 2999));
    CHECK_EQUAL(0u, joy_milliseconds(2000, 2000));
    CHECK_EQUAL(4294967295u, joy_milliseconds(2000, 1999));
    CHECK_EQUAL(4294967295u, joy_milliseconds(2000, 1000));
    CHECK_EQUAL(4294967191u, joy_milliseconds(534'014, 429'507));
}

}  // namespace curlew::collector

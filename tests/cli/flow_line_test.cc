#include "cli/flow_line.h"

#include <string>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::FlowField;
using curlew::cli::FlowLine;
using curlew::cli::json_string;
using curlew::cli::number_of;
using curlew::cli::parse_flow_line;
using curlew::cli::port_of;
using curlew::cli::seconds_of;
using curlew::cli::text_of;
using curlew::cli::test::refusal;

namespace {

std::string refusal_of(const std::string& text) {
    return refusal([&] { parse_flow_line(text); });
}

std::string nested(size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

}  // namespace

TEST_GROUP(FlowLine){};

TEST(FlowLine, has_what_the_rules_look_at) {
    const FlowLine flow = parse_flow_line(
        R"({"sa":"192.0.2.1","da":"192.0.2.2","pr":17,"sp":53,"dp":null,"time_start":1.25,)"
        R"("ip":{"out":{"ttl":64,"id":[1,2]},"in":{"id":[3],"ttl":255}},"flow_type":"DNS"})");
    CHECK(flow.is_record());
    STRCMP_EQUAL("192.0.2.1", text_of(flow.sa, "sa").c_str());
    STRCMP_EQUAL("192.0.2.2", text_of(flow.da, "da").c_str());
    LONGS_EQUAL(17, number_of(flow.pr, "pr", 255));
    LONGS_EQUAL(53, port_of(flow.sp, "sp"));
    LONGS_EQUAL(-1, port_of(flow.dp, "dp"));
    DOUBLES_EQUAL(1.25, seconds_of(flow.time_start, "time_start"), 0);
    LONGS_EQUAL(64, number_of(flow.out_ttl, "ip.out.ttl", 255));
    LONGS_EQUAL(255, number_of(flow.in_ttl, "ip.in.ttl", 255));
    STRCMP_EQUAL("DNS", text_of(flow.flow_type, "flow_type").c_str());
}

TEST(FlowLine, names_elsewhere_in_the_object_are_not_the_flows_own) {
    const FlowLine flow = parse_flow_line(
        R"({"x":{"sa":"192.0.2.9","flow_type":"X","out":0},"ttl":1,"ip":[{"ttl":2}],)"
        R"("ppi":{"out":{"ttl":3}},"y":["sa"]})");
    CHECK_FALSE(flow.is_record());
    LONGS_EQUAL(0, flow.flow_type_count);
    CHECK(flow.out_ttl.kind == FlowField::Kind::absent);
}

TEST(FlowLine, the_last_of_two_equal_keys_counts) {
    const FlowLine flow = parse_flow_line(
        R"({"sp":1,"sp":2,"ip":{"out":{"ttl":64},"in":{"ttl":5}},"ip":{"out":{"ttl":63}}})");
    LONGS_EQUAL(2, port_of(flow.sp, "sp"));
    LONGS_EQUAL(63, number_of(flow.out_ttl, "ip.out.ttl", 255));
    CHECK(flow.in_ttl.kind == FlowField::Kind::absent);
}

TEST(FlowLine, finds_the_separators_and_the_end_of_the_members) {
    const std::string text = "{ \"sa\" : \"x\" ,\"b\" :\t[1, 2]  }  ";
    const FlowLine flow = parse_flow_line(text);
    STRCMP_EQUAL(" ,", std::string(flow.comma).c_str());
    STRCMP_EQUAL(" :\t", std::string(flow.colon).c_str());
    STRCMP_EQUAL("  }  ", text.substr(flow.members_end).c_str());
    STRCMP_EQUAL("[1, 2]  }  ", text.substr(flow.last_value_begin).c_str());
}

TEST(FlowLine, an_object_without_members_has_its_end) {
    LONGS_EQUAL(1, parse_flow_line("{ }").members_end);
}

TEST(FlowLine, knows_whether_flow_type_is_last) {
    CHECK(parse_flow_line(R"({"a":1,"flow_type":"X"})").flow_type_is_last);
    CHECK_FALSE(parse_flow_line(R"({"flow_type":"X","a":1})").flow_type_is_last);
    LONGS_EQUAL(2, parse_flow_line(R"({"flow_type":"X","flow_type":1})").flow_type_count);
}

TEST(FlowLine, what_is_no_object_is_refused) {
    STRCMP_EQUAL("the line is not a JSON object", refusal_of("[]").c_str());
    STRCMP_EQUAL("the line is not a JSON object", refusal_of("12").c_str());
    STRCMP_CONTAINS("the line is not a JSON object: column 6", refusal_of(R"({"a":})").c_str());
    STRCMP_CONTAINS("the line is not a JSON object: column 7", refusal_of(R"({"a":1)").c_str());
}

TEST(FlowLine, what_follows_the_object_is_refused) {
    const std::string zero(1, '\0');
    STRCMP_EQUAL("the line goes on after its JSON object: column 8",
                 refusal_of(R"({"a":1}{})").c_str());
    STRCMP_EQUAL("the line goes on after its JSON object: column 3",
                 refusal_of("{}" + zero + "{}").c_str());
}

TEST(FlowLine, nesting_is_bounded) {
    STRCMP_EQUAL("", refusal_of(nested(64)).c_str());
    STRCMP_EQUAL("the JSON is nested deeper than 64", refusal_of(nested(65)).c_str());
    STRCMP_EQUAL("the JSON is nested deeper than 64", refusal_of(nested(1'000'000)).c_str());
}

TEST(FlowLine, a_field_of_another_type_is_refused) {
    const FlowLine flow =
        parse_flow_line(R"({"sa":7,"sp":65536,"dp":"80","pr":1.5,"time_start":"now"})");
    STRCMP_EQUAL("the record has no text `sa`", refusal([&] { text_of(flow.sa, "sa"); }).c_str());
    STRCMP_EQUAL("`sp` is no whole number from 0 to 65535",
                 refusal([&] { port_of(flow.sp, "sp"); }).c_str());
    STRCMP_EQUAL("`dp` is no whole number from 0 to 65535",
                 refusal([&] { port_of(flow.dp, "dp"); }).c_str());
    STRCMP_EQUAL("`pr` is no whole number from 0 to 255",
                 refusal([&] { number_of(flow.pr, "pr", 255); }).c_str());
    STRCMP_EQUAL("the record has no number `time_start`",
                 refusal([&] { seconds_of(flow.time_start, "time_start"); }).c_str());
    STRCMP_EQUAL("the record has no `ip.out.ttl`",
                 refusal([&] { number_of(flow.out_ttl, "ip.out.ttl", 255); }).c_str());
}

TEST(FlowLine, strings_are_spelled_in_ascii) {
    STRCMP_EQUAL(R"("a\"b\\c")", json_string("a\"b\\c").c_str());
    STRCMP_EQUAL(R"("caf\u00E9")", json_string("caf\xc3\xa9").c_str());
}

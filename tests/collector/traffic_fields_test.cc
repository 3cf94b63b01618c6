#include "collector/traffic_fields.h"

#include <rapidjson/document.h>

#include <string>

#include "tests/collector/flows.h"
#include "tests/collector/json_text.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::string fields_of(const proto::FlowSummary& flow) {
    JsonLine json;
    json.start_object();
    write_packet_list(json, flow);
    write_payload_numbers(json, flow, FieldSet::full);
    write_ip(json, flow, FieldSet::full);
    write_tcp(json, flow);
    write_first_payloads(json, flow);
    write_first_packets(json, flow);
    write_link_layer(json, flow);
    json.end_object();
    return std::string(json.finish());
}

rapidjson::Document parsed(const std::string& text) {
    rapidjson::Document document;
    document.Parse(text.c_str(), text.size());
    CHECK_FALSE(document.HasParseError());
    return document;
}

}  // namespace

TEST_GROUP(TrafficFields){};

TEST(TrafficFields, tcp_tells_flags_and_options_of_both_sides) {
    proto::FlowSummary flow = small_flow();
    proto::Direction& forward = *flow.mutable_forward();
    forward.set_tcp_control_bits(0xff);
    proto::TcpStart& start = *forward.mutable_tcp_start();
    start.set_syn_control_bits(0xc2);
    start.set_sequence_number(1'282'022'227);
    start.set_window_size(5840);
    start.set_options("\2\4\5\xb4\4\2\10\12\5\xfe\x2b\x84\0\0\0\0\1\3\3\2"s);
    proto::Direction& reverse = *flow.mutable_reverse();
    reverse.set_packets(1);
    reverse.set_tcp_control_bits(0x12);
    reverse.mutable_tcp_start()->set_syn_control_bits(0x12);
    reverse.mutable_tcp_start()->set_options("\36\4ab\2\3\0\0"s);
    CHECK(contains(
        fields_of(flow),
        R"("tcp":{"first_seq":1282022227,)"
        R"("out":{"flags":"SEC","first_window_size":5840,"opt_len":20,)"
        R"("opts":[{"mss":1460},{"sackp":null},{"ts":{"val":100543364,"ecr":0}},)"
        R"({"noop":null},{"ws":2}],"control_bits":"FSRPAUEC"},)"
        R"("in":{"flags":"SA","first_window_size":0,"opt_len":8,)"
        R"("opts":[{"kind":30,"data":"6162"},{"malformed":"02030000"}],"control_bits":"SA"}},)"));
}

TEST(TrafficFields, the_responders_sequence_number_stands_in) {
    proto::FlowSummary flow = small_flow();
    flow.mutable_reverse()->mutable_tcp_start()->set_sequence_number(77);
    CHECK(contains(fields_of(flow), R"("tcp":{"first_seq":77,"out":{"control_bits":""},"in":{)"));
}

TEST(TrafficFields, gaps_add_up_to_the_microsecond) {
    proto::FlowSummary flow = small_flow();
    // 1,000 gaps of 1.6 us: each alone would be cut to 1 us.
    for (int i = 0; i < 1000; ++i) {
        add_packet(flow, 1600, 10, 0);
    }
    const rapidjson::Document document = parsed(fields_of(flow));
    uint64_t sum = 0;
    for (const auto& packet : document["packets"].GetArray()) {
        CHECK_EQUAL(packet["t"].GetUint64() / 1000, packet["ipt"].GetUint64());
        sum += packet["t"].GetUint64();
    }
    // Start at ...217.345 us, the last packet at ...817.345 us.
    CHECK_EQUAL(1600, sum);
}

TEST(TrafficFields, packets_of_a_flow_without_answer_go_out) {
    proto::FlowSummary flow = small_flow();
    add_packet(flow, 1600, 10, 0);
    CHECK(contains(fields_of(flow), R"("packets":[{"b":10,"dir":">","ipt":0,"t":1}])"));
}

TEST(TrafficFields, listed_packets_have_flags_where_they_were_told) {
    proto::FlowSummary flow = small_flow();
    add_packet(flow, 0, 0, 0);
    flow.mutable_packets()->add_control_bits(0x02);
    add_packet(flow, 1'000, 0, 1);
    flow.mutable_packets()->add_control_bits(0xd2);
    CHECK(contains(fields_of(flow),
                   R"("packets":[{"b":0,"dir":">","ipt":0,"t":0,"flags":"S"},)"
                   R"({"b":0,"dir":"<","ipt":0,"t":1,"flags":"SAEC"}])"));
}

TEST(TrafficFields, a_flow_without_payload_has_zero_counts_and_no_statistics) {
    proto::FlowSummary flow = small_flow();
    // Profile line-rate counts nothing, and lists nothing.
    CHECK_FALSE(parsed(fields_of(flow)).HasMember("byte_dist"));
    flow.mutable_packets();
    const rapidjson::Document document = parsed(fields_of(flow));
    CHECK_EQUAL(256U, document["byte_dist"].Size());
    CHECK_FALSE(document.HasMember("entropy"));
    CHECK_FALSE(document.HasMember("wht"));
}

TEST(TrafficFields, counts_of_any_length_stand_at_their_values) {
    proto::FlowSummary flow = small_flow();
    // 3: 9, 4: 10, 100: 300, 255: 1.
    flow.set_byte_counts("\3\11\4\12\x64\xac\2\xff\1"s);
    const rapidjson::Document document = parsed(fields_of(flow));
    const rapidjson::Value& counts = document["byte_dist"];
    CHECK_EQUAL(256U, counts.Size());
    for (rapidjson::SizeType value = 0; value < counts.Size(); ++value) {
        const uint64_t expected = value == 3     ? 9
                                  : value == 4   ? 10
                                  : value == 100 ? 300
                                  : value == 255 ? 1
                                                 : 0;
        CHECK_EQUAL(expected, counts[value].GetUint64());
    }
}

TEST(TrafficFields, payload_that_was_not_counted_has_no_counts) {
    proto::FlowSummary flow = small_flow();
    flow.mutable_forward()->set_payload_octets(9);
    CHECK_FALSE(parsed(fields_of(flow)).HasMember("byte_dist"));
}

TEST(TrafficFields, long_first_packets_are_cut) {
    proto::FlowSummary flow = small_flow();
    flow.mutable_forward()->set_first_packet(std::string(2000, 'x'));
    flow.mutable_forward()->set_first_payload_offset(1990);
    const rapidjson::Document document = parsed(fields_of(flow));
    CHECK_EQUAL(1300U, document["idp_len_out"].GetUint());
    CHECK_EQUAL(2600U, document["idp_out"].GetStringLength());
    STRCMP_EQUAL("78787878787878787878", document["payload"]["out"].GetString());
    flow.mutable_forward()->set_first_payload_offset(4'000'000'000);
    CHECK_FALSE(parsed(fields_of(flow)).HasMember("payload"));
}

}  // namespace curlew::collector

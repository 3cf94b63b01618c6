#include "collector/joy_record_writer.h"

#include <rapidjson/document.h>

#include <string>

#include "tests/collector/joy_records.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string zeros(size_t count) {
    std::string text = "0";
    for (size_t i = 1; i < count; ++i) {
        text += ",0";
    }
    return text;
}

}  // namespace

TEST_GROUP(JoyRecordWriter) {
    JoyRecordWriter writer;
    proto::FlowSummary flow = joy_flow();

    std::string line() {
        return std::string(writer.write(flow, nullptr));
    }
    void expect(const char* part) {
        STRCMP_CONTAINS(part, line().c_str());
    }
    void expect_none(const char* part) {
        if (line().find(part) != std::string::npos) {
            FAIL(line().c_str());
        }
    }

    // Of the flow as it stands: an assignment makes them anew.
    proto::JoyRecord& record() {
        return *flow.mutable_joy();
    }
    proto::JoySide& out() {
        return *record().mutable_record();
    }
};

TEST(JoyRecordWriter, the_least_record) {
    STRCMP_EQUAL(("{\"sa\":\"10.0.0.1\",\"da\":\"10.0.0.2\",\"pr\":6,\"sp\":1000,\"dp\":80,"
                  "\"bytes_out\":0,\"num_pkts_out\":1,\"time_start\":1545661851.869217,"
                  "\"time_end\":1545661851.869217,\"packets\":[],\"byte_dist\":[" +
                  zeros(256) + "],\"ip\":{\"out\":{\"ttl\":64,\"id\":[7]}}}\n")
                     .c_str(),
                 line().c_str());
}

TEST(JoyRecordWriter, other_protocols_have_no_ports_and_no_tcp) {
    flow.set_protocol_identifier(1);
    out().mutable_tcp_start()->set_flags(2);
    expect("\"pr\":1,\"sp\":null,\"dp\":null,");
    expect_none("tcp");
}

TEST(JoyRecordWriter, a_label_comes_last_where_one_is_given) {
    const std::string label = "Port \"Test\"";
    STRCMP_CONTAINS("]}},\"flow_type\":\"Port \\\"Test\\\"\"}\n",
                    std::string(writer.write(flow, &label)).c_str());
    expect_none("flow_type");
}

TEST(JoyRecordWriter, one_way_packets_come_back_from_0) {
    add_joy_packet(out(), 2500, 10);
    add_joy_packet(out(), 4499, 20);
    expect("\"packets\":[{\"b\":10,\"dir\":\"<\",\"ipt\":0},{\"b\":20,\"dir\":\"<\",\"ipt\":1}]");
}

TEST(JoyRecordWriter, packets_of_both_ways_are_merged_from_the_start) {
    flow = joy_flow_with_twin();
    add_joy_packet(out(), 2500, 10);
    add_joy_packet(*record().mutable_twin(), 2000, 20);
    add_joy_packet(*record().mutable_twin(), 5000, 30);
    // The twin began 500 us later, so its first packet comes at the same time and goes first.
    expect(
        "\"packets\":[{\"b\":20,\"dir\":\"<\",\"ipt\":2},{\"b\":10,\"dir\":\">\",\"ipt\":0},"
        "{\"b\":30,\"dir\":\"<\",\"ipt\":3}]");
    expect("\"bytes_in\":0,\"num_pkts_in\":1,");
    expect("\"ip\":{\"out\":{\"ttl\":64,\"id\":[7]},\"in\":{\"ttl\":57,\"id\":[8]}}");
}

TEST(JoyRecordWriter, a_packet_before_the_start_has_a_gap_that_wraps) {
    flow = joy_flow_with_twin();
    record().set_time_start_us(out().start_us() + 104'507);
    add_joy_packet(out(), 0, 35);
    expect("\"packets\":[{\"b\":35,\"dir\":\">\",\"ipt\":4294967191}]");
}

TEST(JoyRecordWriter, a_packet_of_32768_octets_is_taken_for_repetitions) {
    add_joy_packet(out(), 0, 32767);
    add_joy_packet(out(), 0, 32768);
    expect("{\"b\":32767,\"dir\":\"<\",\"ipt\":0},{\"rep\":32768,\"dir\":\"<\",\"ipt\":0}");
}

TEST(JoyRecordWriter, fields_stand_in_joys_order) {
    flow = joy_flow_with_twin();
    count_joy_octets(out(), "abc");
    out().set_first_payload("abc");
    out().set_first_packet("E-packet");
    out().mutable_tcp_start()->set_flags(2);
    out().mutable_tcp_start()->set_window_size(5840);
    add_joy_segment(out(), 0, 1, 0, 2);
    add_joy_segment(*record().mutable_twin(), 0, 1, 0, 18);
    out().mutable_first_octet()->set_segments(2);
    out().set_retransmissions(1);
    record().mutable_twin()->set_invalid(2);
    record().set_expiry(proto::JOY_EXPIRY_ACTIVE);
    rapidjson::Document document;
    document.Parse(line().c_str());
    std::string names;
    for (const auto& member : document.GetObject()) {
        names += std::string(names.empty() ? "" : " ") + member.name.GetString();
    }
    STRCMP_EQUAL(
        "sa da pr sp dp bytes_out num_pkts_out bytes_in num_pkts_in time_start time_end packets "
        "byte_dist byte_dist_mean byte_dist_std entropy total_entropy ip tcp wht payload ppi hd "
        "probable_os idp_out idp_len_out debug expire_type",
        names.c_str());
    expect("\"probable_os\":{\"out\":\"Linux 2.4 and 2.6\"}");
    expect("\"idp_out\":\"452d7061636b6574\",\"idp_len_out\":8");
    expect("\"debug\":{\"tcp_retrans\":1,\"invalid\":2},\"expire_type\":\"a\"}");
}

TEST(JoyRecordWriter, the_first_octet_is_described_from_two_segments_on) {
    proto::JoyFirstOctet& octet = *out().mutable_first_octet();
    octet.set_segments(1);
    expect_none("\"hd\"");
    octet.set_segments(4);
    octet.set_constant_mask(0xfc);
    octet.set_constant_value(0x14);
    octet.set_initial(0x16);
    expect("\"hd\":{\"n\":4,\"cm\":\"fc\",\"cv\":\"14\",\"sm\":\"00\",\"i\":\"16\"}");
}

TEST(JoyRecordWriter, first_payload_and_packet_of_the_twin_come_in) {
    flow = joy_flow_with_twin();
    record().mutable_twin()->set_first_payload("hi");
    record().mutable_twin()->set_first_packet("E");
    expect("\"payload\":{\"in\":\"6869\"}");
    expect("\"idp_in\":\"45\",\"idp_len_in\":1");
}

TEST(JoyRecordWriter, systems_are_told_by_ttl_and_window) {
    flow = joy_flow_with_twin();
    out().mutable_tcp_start()->set_window_size(65535);
    record().mutable_twin()->set_minimum_ttl(65);
    record().mutable_twin()->mutable_tcp_start()->set_window_size(65535);
    expect("\"probable_os\":{\"out\":\"FreeBSD / OS X\",\"in\":\"Windows XP\"}");
    out().set_minimum_ttl(32);
    expect("\"probable_os\":{\"in\":\"Windows XP\"}");
    record().mutable_twin()->set_minimum_ttl(129);
    expect_none("probable_os");
}

TEST(JoyRecordWriter, the_letter_is_that_of_the_record) {
    record().set_expiry(proto::JOY_EXPIRY_INACTIVE);
    expect("\"expire_type\":\"i\"}");
}

TEST(JoyRecordWriter, a_protocol_of_the_twin_alone_is_not_told) {
    flow = joy_flow_with_twin();
    flow.set_protocol_identifier(17);
    const std::string query(
        "\0\x02\x01\0\0\x01\0\0\0\0\0\0\x01"
        "a\0\0\x01\0\x01",
        19);
    record().mutable_twin()->mutable_dns()->add_messages(query);
    expect_none("\"dns\"");
    out().mutable_dns();
    expect("\"dns\":[{\"qn\":\"a\"");
}

}  // namespace curlew::collector

#include "collector/record_writer.h"

#include <rapidjson/document.h>

#include <random>
#include <string>

#include "collector/wire_text.h"
#include "tests/collector/json_text.h"
#include "tests/collector/label_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::string record(const proto::FlowSummary& flow, FieldSet fields = FieldSet::full) {
    const LabelFixture labels(any_group(),
                              payload_signature("dns-query",
                                                "protocol = 'dns'\nservice = 'names'\n"
                                                "label = 'dns-query'"));
    Annotator annotator(labels.rules(), labels.memory);
    RecordWriter writer(fields);
    const RecordWriter::Begun begun = writer.begin(flow);
    std::string line(writer.finish(annotator.annotate(flow, begun.messages, begun.flow_id)));
    // The hash of the signatures above is not what is looked at here.
    const std::string kRuleset = "any-0123456789abcdef";
    line.replace(line.find(annotator.ruleset()), kRuleset.size(), kRuleset);
    return line;
}

rapidjson::Document parsed_utf8(const std::string& text) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(text.c_str(), text.size());
    CHECK_FALSE(document.HasParseError());
    return document;
}

std::string more_zeros(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
        text += ",0";
    }
    return text;
}

// A UDP question and its answer: payload "AB" out and "A" in.
proto::FlowSummary question_and_answer() {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.1", 53, 17);
    flow.set_flow_end_ns(kStart + 1'500'000'999);
    flow.set_flow_end_reason(proto::FLOW_END_REASON_IDLE_TIMEOUT);
    flow.set_direction_source(proto::DIRECTION_SOURCE_PORT);
    proto::Direction& forward = *flow.mutable_forward();
    forward.set_payload_octets(2);
    forward.set_source_mac("\x02\x00\x0a\x00\x00\x05"s);
    forward.add_ip_ids(4660);
    forward.set_first_packet("\x45header-AB");
    forward.set_first_payload_offset(8);
    proto::Direction& reverse = *flow.mutable_reverse();
    reverse.set_packets(1);
    reverse.set_octets(29);
    reverse.set_payload_octets(1);
    reverse.set_frame_octets(60);
    reverse.set_minimum_ttl(254);
    reverse.set_maximum_ttl(255);
    reverse.set_source_mac("\x02\x00\x0a\x00\x00\x01"s);
    flow.add_vlan_ids(12);
    flow.set_quality(proto::QUALITY_BEGIN_SEEN | proto::QUALITY_LIST_CUT);
    add_packet(flow, 0, 2, 0);
    add_packet(flow, 1'500'000'999, 1, 1);
    flow.set_byte_counts("A\2B\1");
    for (const int64_t sum : {196, 0, -3, 66}) {
        flow.add_walsh_sums(sum);
    }
    proto::Match& match = add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "AB", "dns-query");
    match.set_packet(0);
    match.set_offset(2);
    return flow;
}

}  // namespace

TEST_GROUP(RecordWriter){};

TEST(RecordWriter, writes_every_field_of_a_full_record) {
    const std::string expected =
        R"({"sa":"10.0.0.5","da":"10.0.0.1","pr":17,"sp":40000,"dp":53,)"
        R"("bytes_out":2,"num_pkts_out":1,"bytes_in":1,"num_pkts_in":1,)"
        R"("time_start":1545661851.869217,"time_end":1545661853.369218,)"
        R"("time_start_ns":1545661851869217345,"time_end_ns":1545661853369218344,)"
        R"("packets":[{"b":2,"dir":">","ipt":0,"t":0},{"b":1,"dir":"<","ipt":1500,"t":1500001}],)"
        R"("byte_dist":[0)" +
        more_zeros(64) + ",2,1" + more_zeros(189) +
        R"(],"byte_dist_mean":65.33333333333333,"byte_dist_std":0.5773502691896257,)"
        R"("entropy":0.9182958340544896,"total_entropy":2.7548875021634688,)"
        R"("wht":[65.33333333333333,0.0,-1.0,22.0],)"
        R"("ip":{"out":{"ttl":64,"ttl_max":64,"id":[4660]},"in":{"ttl":254,"ttl_max":255}},)"
        R"("payload":{"out":"4142"},)"
        R"("idp_out":"456865616465722d4142","idp_len_out":10,)"
        R"("octets_out":60,"octets_in":29,"frame_octets_out":74,"frame_octets_in":60,)"
        R"("mac":{"out":"02:00:0a:00:00:05","in":"02:00:0a:00:00:01"},"vlan":[12],)"
        R"("community_id":"1:cJZ4q5Hk7/aeV9sjYJs5je7H+bA=",)"
        R"("direction_source":"port","flow_end_reason":1,"expire_type":"i",)"
        R"("flow_id":"1545661851869217-f41f224028796e60","record":0,)"
        R"("quality":["begin_seen","list_cut"],)"
        R"("matched":[{"kind":"payload","field":"payload","value":"AB",)"
        R"("signature":"dns-query","packet":0,"offset":2,"dir":">"}],)"
        R"("label":{"type":"dns-query","protocol":"dns","service":"names","activity":"",)"
        R"("device":"","evidence":[)"
        R"({"kind":"payload","field":"payload","value":"AB","signature":"dns-query",)"
        R"("packet":0,"offset":2,"dir":">"}],)"
        R"("confidence":"certain","ruleset":"any-0123456789abcdef"},)"
        R"("flow_type":"dns-query"})"
        "\n";
    STRCMP_EQUAL(expected.c_str(), record(question_and_answer()).c_str());
}

TEST(RecordWriter, a_bare_record_says_what_is_not_there) {
    proto::FlowSummary flow = flow_between("2001:db8::1", 0, "ff02::1", 0, 58);
    flow.add_icmp_types("\x80\x00"s);
    flow.set_tunnel_id(5);
    flow.add_tunnels()->set_type(proto::TUNNEL_TYPE_VXLAN);
    flow.mutable_tunnels(0)->set_id(4);
    flow.set_flow_ordinal(3);
    flow.set_record_number(2);
    const std::string line = record(flow, FieldSet::slim);
    STRCMP_EQUAL(
        R"({"sa":"2001:db8::1","da":"ff02::1","pr":58,"sp":null,"dp":null,)"
        R"("bytes_out":0,"num_pkts_out":1,)"
        R"("time_start":1545661851.869217,"time_end":1545661851.869217,)"
        R"("time_start_ns":1545661851869217345,"time_end_ns":1545661851869217345,)"
        R"("ip":{"out":{"ttl":64,"ttl_max":64}},"octets_out":60,"frame_octets_out":74,)"
        R"("tunnel":[{"type":"vxlan","id":4}],"icmp":[{"type":128,"code":0}],)"
        R"("community_id":"1:fGMMlAn5OW4ALtQn4k5OPdivs7o=",)"
        R"("direction_source":"first-packet","flow_end_reason":4,)"
        R"("flow_id":"1545661851869217-5126bff9861010e9+3","record":2,"quality":[],"matched":[],)"
        R"("label":{"type":"unknown","protocol":"","service":"","activity":"","device":"",)"
        R"("evidence":[{"kind":"none"}],)"
        R"("confidence":"guess","ruleset":"any-0123456789abcdef"},"flow_type":"unknown"})"
        "\n",
        line.c_str());
}

TEST(RecordWriter, field_sets_leave_out_what_they_say) {
    const proto::FlowSummary flow = question_and_answer();
    const std::string standard = record(flow, FieldSet::standard);
    CHECK(contains(standard, "\"packets\":["));
    CHECK(contains(standard, "\"entropy\":"));
    CHECK(contains(standard, "\"payload\":"));
    for (const char* absent : {"\"byte_dist\":", "\"idp_out\":", "\"id\":"}) {
        CHECK_FALSE(contains(standard, absent));
    }
    const std::string slim = record(flow, FieldSet::slim);
    CHECK_FALSE(contains(slim, "\"packets\":"));
    CHECK(contains(slim, "\"entropy\":"));
    CHECK(field_set_named("slim") == FieldSet::slim);
    CHECK_FALSE(field_set_named("Slim").has_value());
}

TEST(RecordWriter, copies_are_told_where_there_are_any) {
    proto::FlowSummary flow = question_and_answer();
    flow.mutable_reverse()->set_copies(3);
    flow.set_quality(proto::QUALITY_DUPLICATE);
    CHECK(contains(record(flow), R"("record":0,"copies_in":3,"quality":["duplicate"],)"));
    flow.mutable_forward()->set_copies(2);
    CHECK(contains(record(flow, FieldSet::slim), R"("copies_out":2,"copies_in":3,"quality")"));
}

TEST(RecordWriter, times_are_cut_not_rounded) {
    proto::FlowSummary flow = small_flow();
    flow.set_flow_start_ns(1'999'999'999);
    flow.set_flow_end_ns(7);
    const std::string line = record(flow);
    CHECK(contains(line, "\"time_start\":1.999999,\"time_end\":0.000000,"));
}

TEST(RecordWriter, only_answers_seen_leave_the_initiators_side_empty) {
    proto::FlowSummary flow = small_flow();
    flow.mutable_reverse()->set_packets(4);
    flow.clear_forward();
    const std::string line = record(flow);
    CHECK(contains(line, "\"bytes_out\":0,\"num_pkts_out\":0,\"bytes_in\":0,\"num_pkts_in\":4,"));
    CHECK(contains(line, "\"ip\":{\"in\":{"));
}

TEST(RecordWriter, the_flow_id_is_that_of_either_direction) {
    const std::string forth = record(flow_between("10.0.0.5", 40000, "10.0.0.1", 53, 17));
    const std::string back = record(flow_between("10.0.0.1", 53, "10.0.0.5", 40000, 17));
    const std::string other = record(flow_between("10.0.0.5", 53, "10.0.0.1", 40000, 17));
    STRCMP_EQUAL(parsed_utf8(forth)["flow_id"].GetString(),
                 parsed_utf8(back)["flow_id"].GetString());
    CHECK(std::string(parsed_utf8(forth)["flow_id"].GetString()) !=
          parsed_utf8(other)["flow_id"].GetString());
}

TEST(RecordWriter, hostile_names_stay_inside_their_string) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_NAME, "a\",\"flow_type\":\"x\\\0\n\xff\xe2\x82"s);
    const rapidjson::Document document = parsed_utf8(record(flow));
    STRCMP_EQUAL("unknown", document["flow_type"].GetString());
    const rapidjson::Value& value = document["matched"][0]["value"];
    const std::string text(value.GetString(), value.GetStringLength());
    CHECK(text == "a\",\"flow_type\":\"x\\\0\n\xc3\xbf\xc3\xa2\xc2\x82"s);
}

TEST(RecordWriter, any_octets_give_one_line_of_json) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    for (int round = 0; round < 500; ++round) {
        proto::FlowSummary flow = small_flow();
        std::string octets(random() % 60, '\0');
        for (char& octet : octets) {
            octet = static_cast<char>(random());
        }
        add_match(flow, static_cast<proto::EvidenceKind>(random() % 12), octets, octets);
        flow.mutable_forward()->mutable_tcp_start()->set_options(octets.substr(0, 40));
        flow.mutable_forward()->set_first_packet(octets);
        flow.mutable_forward()->set_first_payload_offset(static_cast<uint32_t>(random() % 80));
        flow.set_quality(static_cast<uint32_t>(random()));
        const std::string line = record(flow);
        rapidjson::Document document;
        document.Parse<rapidjson::kParseValidateEncodingFlag>(line.c_str(), line.size());
        if (document.HasParseError() || line.find('\n') != line.size() - 1 || !is_utf8(line)) {
            FAIL(("seed " + std::to_string(seed) + ", round " + std::to_string(round)).c_str());
        }
    }
}

}  // namespace curlew::collector

#include "collector/flow_facts.h"

#include "collector/labeller.h"
#include "collector/record_writer.h"
#include "tests/collector/flows.h"
#include "tests/collector/label_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::string text_of(const FlowFacts& facts) {
    std::string text = std::to_string(facts.protocol) + ' ' + facts.initiator + ' ' +
                       std::to_string(facts.initiator_port) + ' ' + facts.responder + ' ' +
                       std::to_string(facts.responder_port) + ' ' +
                       std::to_string(facts.flow_start_us) + ' ' + std::to_string(facts.end_us) +
                       ' ' + std::to_string(facts.record_number) +
                       (facts.begin_seen ? " begin " : " ") +
                       (facts.has_payload ? "payload " : "") + facts.flow_id + ' ' +
                       facts.initiator_mac + ' ' + facts.responder_mac + ' ' + facts.symbols + '\n';
    for (const auto* list : {&facts.facts, &facts.fields}) {
        for (const Fact& fact : *list) {
            text += std::string(name_of(fact.kind)) + ' ' + fact.field + ' ' + fact.value + ' ' +
                    fact.signature + ' ' + std::to_string(fact.packet) + ' ' +
                    std::to_string(fact.offset) + (fact.reverse ? " <" : " >") + '\n';
        }
    }
    return text;
}

// The record of a flow, and its facts as the writer had them.
std::string record_of(const proto::FlowSummary& flow, FlowFacts& facts) {
    const LabelFixture labels(any_group(), payload_signature("http", "protocol = 'http'"));
    RecordWriter writer(FieldSet::full);
    const RecordWriter::Begun begun = writer.begin(flow);
    Annotator annotator(labels.rules(), labels.memory);
    facts = annotator.facts(flow, begun.messages);
    facts.flow_id = begun.flow_id;
    return std::string(writer.finish(annotator.annotate(flow, begun.messages, begun.flow_id)));
}

FlowFacts stored(const std::string& record) {
    rapidjson::Document document;
    document.Parse(record.c_str());
    FlowFacts facts;
    CHECK(facts_of_record(document, facts));
    return facts;
}

void same_facts(const proto::FlowSummary& flow) {
    FlowFacts fresh;
    const std::string record = record_of(flow, fresh);
    STRCMP_EQUAL(text_of(fresh).c_str(), text_of(stored(record)).c_str());
}

proto::FlowSummary web_flow() {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "192.0.2.9", 80, 6);
    flow.mutable_forward()->set_payload_octets(30);
    flow.mutable_forward()->set_source_mac("\x02\x00\x0a\x00\x00\x05"s);
    flow.set_quality(proto::QUALITY_BEGIN_SEEN);
    add_packet(flow, 0, 30, 0);
    add_packet(flow, 5000, 0, 1);
    add_packet(flow, 5000, 200, 1);
    add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "", "http").set_offset(4);
    proto::Match& name = add_match(flow, proto::EVIDENCE_KIND_NAME, "\xff.example"s);
    name.set_field("http.host");
    name.set_packet(1);
    add_message(
        flow, proto::MESSAGE_PROTOCOL_HTTP, "GET /feed HTTP/1.1\r\nUser-Agent: lamp/2\r\n\r\n");
    add_message(
        flow, proto::MESSAGE_PROTOCOL_HTTP, "HTTP/1.1 200 OK\r\nSERVER: tiny\r\n\r\n", true);
    return flow;
}

}  // namespace

TEST_GROUP(FlowFacts){};

TEST(FlowFacts, of_a_flow_and_of_its_record_are_the_same) {
    same_facts(web_flow());
    same_facts(small_flow());
    proto::FlowSummary icmp = flow_between("10.0.0.5", 0, "10.0.0.1", 0, 1);
    icmp.add_icmp_types("\x03\x03"s);
    icmp.set_record_number(2);
    icmp.set_first_record_start_ns(kStart - 5'000'000'000);
    same_facts(icmp);
    proto::FlowSummary ssdp = flow_between("10.0.0.9", 1900, "239.255.255.250", 1900, 17);
    add_message(ssdp,
                proto::MESSAGE_PROTOCOL_SSDP,
                "NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\nServer: A/1\r\n\r\n");
    same_facts(ssdp);
    proto::FlowSummary syn = flow_between("10.0.0.5", 40000, "192.0.2.9", 443, 6);
    syn.mutable_forward()->set_tcp_control_bits(2);
    same_facts(syn);
}

TEST(FlowFacts, say_what_messages_hold) {
    FlowFacts facts;
    record_of(web_flow(), facts);
    const std::string text = text_of(facts);
    for (const char* line : {"field http.path /feed  0 0 >",
                             "field http.user_agent lamp/2  0 0 >",
                             "field http.server tiny  0 0 <",
                             "field ip.protocol 6  0 0 >",
                             "name http.host \xc3\xbf.example  1 0 >",
                             " >30<200\n"}) {
        STRCMP_CONTAINS(line, text.c_str());
    }
}

TEST(FlowFacts, names_that_messages_alone_tell_are_told) {
    const auto names_in = [](const proto::FlowSummary& flow) {
        same_facts(flow);
        FlowFacts facts;
        record_of(flow, facts);
        std::string names;
        for (const Fact& fact : facts.facts) {
            names += fact.kind == EvidenceKind::name ? fact.field + ' ' + fact.value + ' ' : "";
        }
        return names;
    };
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "192.0.2.9", 80, 6);
    const auto request = [&flow](
                             const std::string& target, const char* host, bool reverse = false) {
        add_message(flow,
                    proto::MESSAGE_PROTOCOL_HTTP,
                    "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
                    reverse);
    };
    request("/", "a.example");
    request("/2", "a.example");
    request("http://c.example/", "b.example");
    request("/", "d.example", true);
    STRCMP_EQUAL("http.host a.example ", names_in(flow).c_str());
    // What the probe told is not told again, and there are no more than it tells.
    add_match(flow, proto::EVIDENCE_KIND_NAME, "a.example").set_field("http.host");
    STRCMP_EQUAL("http.host a.example ", names_in(flow).c_str());
    for (int i = 0; i < 40; ++i) {
        request("/", (std::to_string(i) + ".example").c_str());
    }
    FlowFacts facts;
    record_of(flow, facts);
    CHECK_EQUAL(16u, facts.facts.size());
    request("/", std::string(256, 'a').c_str());
    record_of(flow, facts);
    CHECK_EQUAL(16u, facts.facts.size());
}

TEST(FlowFacts, a_query_of_mdns_announces_nothing) {
    // One answer, a PTR of _a._tcp.local to b._a._tcp.local; qr is bit 7 of the third octet.
    const std::string answer =
        "\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02_a\x04_tcp\x05local\x00\x00\x0c"
        "\x00\x01\x00\x00\x00\x78\x00\x04\x01"
        "b\xc0\x0c"s;
    for (const bool query : {false, true}) {
        proto::FlowSummary flow = flow_between("10.0.0.9", 5353, "224.0.0.251", 5353, 17);
        std::string octets = answer;
        octets[2] = query ? '\0' : octets[2];
        add_message(flow, proto::MESSAGE_PROTOCOL_MDNS, octets);
        FlowFacts facts;
        record_of(flow, facts);
        const bool found = text_of(facts).find("mdns.service b._a._tcp.local") != std::string::npos;
        CHECK_EQUAL(!query, found);
        same_facts(flow);
    }
}

TEST(FlowFacts, how_an_empty_connection_went) {
    const auto word = [](uint32_t forward, uint32_t reverse, uint32_t record = 0) {
        proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "192.0.2.9", 443, 6);
        flow.set_record_number(record);
        flow.mutable_forward()->set_tcp_control_bits(forward);
        if (reverse != 0) {
            flow.mutable_reverse()->set_packets(1);
            flow.mutable_reverse()->set_tcp_control_bits(reverse);
        }
        const FlowFacts facts = facts_of(flow);
        return facts.facts.empty() ? std::string() : facts.facts[0].value;
    };
    STRCMP_EQUAL("unanswered", word(2, 0).c_str());
    // The answers took another way.
    STRCMP_EQUAL("", word(2 | 16 | 1, 0).c_str());
    STRCMP_EQUAL("refused", word(2, 20).c_str());
    STRCMP_EQUAL("empty", word(2 | 16 | 1, 2 | 16 | 1).c_str());
    STRCMP_EQUAL("", word(16, 0).c_str());
    // Of a later record only that SYNs are still not answered.
    STRCMP_EQUAL("unanswered", word(2, 0, 3).c_str());
    STRCMP_EQUAL("", word(2, 20, 3).c_str());
    STRCMP_EQUAL("", word(2 | 16 | 1, 2 | 16 | 1, 3).c_str());
}

TEST(FlowFacts, a_record_of_another_preset_has_none) {
    rapidjson::Document document;
    document.Parse("{\"sa\":\"10.0.0.1\"}");
    FlowFacts facts;
    CHECK_FALSE(facts_of_record(document, facts));
}

}  // namespace curlew::collector

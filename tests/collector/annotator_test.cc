#include "collector/annotator.h"

#include <string>
#include <vector>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string flow_type(const proto::FlowSummary& flow) {
    const signatures::GroupRules rules = house_group();
    return Annotator(rules).annotate(flow).flow_type;
}

Label label(const proto::FlowSummary& flow) {
    const signatures::GroupRules rules = any_group();
    return Annotator(rules).annotate(flow).label;
}

}  // namespace

TEST_GROUP(Annotator){};

TEST(Annotator, published_rules_see_a_reversed_flow_from_the_responder) {
    proto::FlowSummary query = flow_between("10.0.0.5", 40000, "10.0.0.1", 53, 17);
    STRCMP_EQUAL("Unknown", flow_type(query).c_str());
    query.set_published_reversed(true);
    STRCMP_EQUAL("Answer", flow_type(query).c_str());
}

TEST(Annotator, addresses_turn_around_with_the_ports) {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.9", 9000, 6);
    flow.set_published_ttl_out(128);
    STRCMP_EQUAL("Unknown", flow_type(flow).c_str());
    flow.set_published_reversed(true);
    STRCMP_EQUAL("From The Gateway", flow_type(flow).c_str());
}

TEST(Annotator, ports_are_null_unless_tcp_or_udp) {
    STRCMP_EQUAL("No Ports", flow_type(flow_between("10.0.0.5", 0, "224.0.0.1", 0, 2)).c_str());
    STRCMP_EQUAL("Unknown", flow_type(flow_between("10.0.0.5", 0, "10.0.0.1", 0, 17)).c_str());
}

TEST(Annotator, published_ttls_are_used_and_none_is_an_error) {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.7", 5684, 17);
    flow.mutable_reverse()->set_minimum_ttl(1);
    STRCMP_EQUAL("Flow Error", flow_type(flow).c_str());
    flow.set_published_ttl_in(255);
    STRCMP_EQUAL("Near", flow_type(flow).c_str());
}

TEST(Annotator, a_group_without_rules_publishes_the_content_label) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "GET ", "http", "", "web");
    const signatures::GroupRules rules = any_group();
    const Annotation annotation = Annotator(rules).annotate(flow);
    STRCMP_EQUAL("web", annotation.flow_type.c_str());
    STRCMP_EQUAL("web", annotation.label.type.c_str());
}

TEST(Annotator, nothing_found_is_unknown_by_guess) {
    const Label found = label(small_flow());
    STRCMP_EQUAL("unknown", found.type.c_str());
    STRCMP_EQUAL("", found.protocol.c_str());
    STRCMP_EQUAL("guess", found.confidence.c_str());
    STRCMP_EQUAL("none", strongest_evidence(found));
    CHECK(found.evidence.empty());
}

TEST(Annotator, payload_is_stronger_than_name_and_name_than_port) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_PORT, "443", "https", "port-service", "by-port");
    add_match(flow, proto::EVIDENCE_KIND_NAME, "a.example", "", "name-service", "by-name");
    add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "\x16\x03", "tls", "", "by-payload");
    const Label found = label(flow);
    STRCMP_EQUAL("by-payload", found.type.c_str());
    STRCMP_EQUAL("tls", found.protocol.c_str());
    STRCMP_EQUAL("name-service", found.service.c_str());
    STRCMP_EQUAL("certain", found.confidence.c_str());
    LONGS_EQUAL(2, found.evidence.size());
    STRCMP_EQUAL("payload", name_of(found.evidence[0]->kind()));
    STRCMP_EQUAL("name", name_of(found.evidence[1]->kind()));
}

TEST(Annotator, a_port_alone_is_a_guess) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_PORT, "443", "https", "", "web");
    const Label found = label(flow);
    STRCMP_EQUAL("web", found.type.c_str());
    STRCMP_EQUAL("guess", found.confidence.c_str());
    STRCMP_EQUAL("port", strongest_evidence(found));
}

TEST(Annotator, of_payload_matches_the_earlier_packet_wins) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "b", "late", "", "late").set_packet(3);
    add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "a", "early", "", "early").set_packet(1);
    STRCMP_EQUAL("early", label(flow).type.c_str());
}

TEST(Annotator, the_most_specific_name_gives_the_service) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_NAME, "example.com", "", "company", "");
    add_match(flow, proto::EVIDENCE_KIND_NAME, "time.example.com", "", "clock", "");
    add_match(flow, proto::EVIDENCE_KIND_NAME, "unlisted.very.long.example.org", "", "", "");
    const Label found = label(flow);
    STRCMP_EQUAL("clock", found.service.c_str());
    LONGS_EQUAL(1, found.evidence.size());
}

TEST(Annotator, a_name_that_no_signature_lists_is_no_evidence) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_NAME, "unlisted.example", "", "", "");
    const Label found = label(flow);
    STRCMP_EQUAL("unknown", found.type.c_str());
    CHECK(found.evidence.empty());
}

TEST(Annotator, a_kind_it_does_not_know_is_the_weakest) {
    proto::FlowSummary flow = small_flow();
    add_match(flow, static_cast<proto::EvidenceKind>(77), "x", "", "", "odd");
    add_match(flow, proto::EVIDENCE_KIND_PORT, "443", "", "", "by-port");
    STRCMP_EQUAL("by-port", label(flow).type.c_str());
}

}  // namespace curlew::collector

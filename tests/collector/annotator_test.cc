#include "collector/annotator.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/collector/label_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string flow_type(const proto::FlowSummary& flow) {
    const LabelFixture labels(house_group());
    return Annotator(labels.rules(), labels.memory).annotate(flow, {}, {}).flow_type;
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
    proto::FlowSummary flow = flow_between("10.0.0.5", 0, "10.0.0.1", 0, 17);
    STRCMP_EQUAL("Unknown", flow_type(flow).c_str());
    // As Joy saw later fragments.
    flow.set_quality(proto::QUALITY_FRAGMENTED);
    STRCMP_EQUAL("No Ports", flow_type(flow).c_str());
}

TEST(Annotator, published_ttls_are_used_and_none_is_an_error) {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.7", 5684, 17);
    flow.mutable_reverse()->set_minimum_ttl(1);
    STRCMP_EQUAL("Flow Error", flow_type(flow).c_str());
    // A TTL of 0 is one.
    flow.set_published_ttl_in(0);
    STRCMP_EQUAL("Unknown", flow_type(flow).c_str());
    flow.set_published_ttl_in(255);
    STRCMP_EQUAL("Near", flow_type(flow).c_str());
}

TEST(Annotator, a_group_without_rules_publishes_the_content_label) {
    const LabelFixture labels(any_group(), payload_signature("get", "label = 'web'"));
    proto::FlowSummary flow = small_flow();
    add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "", "get");
    const Annotation annotation = Annotator(labels.rules(), labels.memory).annotate(flow, {}, {});
    STRCMP_EQUAL("web", annotation.flow_type.c_str());
    STRCMP_EQUAL("web", annotation.content().type.c_str());
}

TEST(Annotator, names_told_for_an_address_are_evidence_for_whoever_asked) {
    LabelFixture labels(any_group(), name_signature("logs", "logs.example", "service = 'logs'"));
    labels.memory.add(answer_to("10.0.0.5", "logs.example", "192.0.2.9", 60, 0));
    Annotator annotator(labels.rules(), labels.memory);
    const auto service = [&](const char* client, uint64_t after_us) {
        proto::FlowSummary flow = flow_between(client, 40000, "192.0.2.9", 443, 6);
        flow.set_first_record_start_ns(kStart + after_us * 1000);
        return annotator.annotate(flow, {}, {}).content().service;
    };
    STRCMP_EQUAL("logs", service("10.0.0.5", 1'000'000).c_str());
    STRCMP_EQUAL("", service("10.0.0.6", 1'000'000).c_str());
    STRCMP_EQUAL("", service("10.0.0.5", 61'000'000).c_str());
}

TEST(Annotator, a_service_that_its_host_announced_is_evidence_for_everybody) {
    LabelFixture labels(
        any_group(), name_signature("hap", "_hap._tcp.local", "protocol = 'hap'\nsuffix = true"));
    proto::FlowSummary announcement = flow_between("10.0.0.9", 5353, "224.0.0.251", 5353, 17);
    proto::ProtocolMessage& message = *announcement.add_messages();
    message.set_protocol(proto::MESSAGE_PROTOCOL_MDNS);
    // b._hap._tcp.local SRV 0 0 80 b.local, for 120 s
    message.set_octets(
        std::string("\0\0\x84\0\0\0\0\1\0\0\0\0\1b\4_hap\4_tcp\5local\0"
                    "\0\x21\x80\1\0\0\0\x78\0\x0f\0\0\0\0\0\x50\1b\5local\0",
                    56));
    labels.memory.add(announcement);
    Annotator annotator(labels.rules(), labels.memory);
    const auto protocol = [&](uint16_t port) {
        proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.9", port, 6);
        return annotator.annotate(flow, {}, {}).content().protocol;
    };
    STRCMP_EQUAL("hap", protocol(80).c_str());
    STRCMP_EQUAL("", protocol(81).c_str());
}

TEST(Annotator, a_flow_without_beginning_goes_on_with_what_was_said_before_it) {
    LabelFixture labels(any_group(), payload_signature("get", "label = 'web'"));
    proto::FlowSummary first = flow_between("10.0.0.5", 40000, "192.0.2.9", 443, 6);
    first.mutable_forward()->set_payload_octets(9);
    proto::FlowSummary second = first;
    second.set_first_record_start_ns(kStart + 1'000'000'000);
    add_match(first, proto::EVIDENCE_KIND_PAYLOAD, "", "get");
    labels.memory.add(first);
    labels.memory.add(second);
    Annotator annotator(labels.rules(), labels.memory);
    STRCMP_EQUAL("web", annotator.annotate(first, {}, "1-1").content().type.c_str());
    const Annotation annotation = annotator.annotate(second, {}, "2-1");
    STRCMP_EQUAL("web", annotation.content().type.c_str());
    CHECK(annotation.content().type_evidence == EvidenceKind::continued);
}

TEST(Annotator, what_is_remembered_is_what_is_given_anew) {
    LabelFixture labels(
        any_group(),
        payload_signature("get", "label = 'web'") + payload_signature("put", "label = 'web'") +
            name_signature("logs", "logs.example", "service = 'logs'") +
            field_signature("plug", "ssdp.server", "Plug/.*", "activity = 'announces'") +
            "[[signature]]\nid = 'port'\ntitle = 't'\nreference = 'r'\n"
            "kind = 'port'\npattern = '444'\ntransport = 'tcp'\nprotocol = 'mqtt'\n"
            "[[signature]]\nid = 'steps'\ntitle = 't'\nreference = 'r'\n"
            "kind = 'sequence'\npattern = '>1[0-9]'\nservice = 'steps'\n"
            "examples.match = ['>12']\nexamples.no_match = ['<12']\n");
    labels.memory.add(answer_to("10.0.0.5", "logs.example", "192.0.2.9", 60, 0));
    const auto flow_of = [](uint32_t protocol, const char* responder, uint32_t port) {
        proto::FlowSummary flow = flow_between("10.0.0.5", 40000, responder, port, protocol);
        add_match(flow, proto::EVIDENCE_KIND_PAYLOAD, "", "get");
        return flow;
    };
    const proto::FlowSummary plain = flow_of(6, "192.0.2.8", 443);
    // Each is labelled otherwise than every other, by one thing.
    std::vector<std::pair<proto::FlowSummary, MessageFacts>> shown{
        {plain, {}}, {flow_of(6, "192.0.2.8", 444), {}}, {flow_of(6, "192.0.2.9", 443), {}}};
    const auto shown_with = [&](auto change) {
        auto& [flow, messages] = shown.emplace_back(plain, MessageFacts());
        change(flow, messages);
    };
    shown_with([](auto& flow, auto&) { flow.mutable_matches(0)->set_signature("put"); });
    shown_with([](auto& flow, auto&) { flow.mutable_matches(0)->set_reverse(true); });
    shown_with([](auto& flow, auto&) { flow.mutable_matches(0)->set_offset(1); });
    shown_with([](auto& flow, auto&) { flow.mutable_matches(0)->set_packet(1); });
    shown_with([](auto& flow, auto&) { flow.clear_matches(); });
    shown_with([](auto& flow, auto&) { add_packet(flow, 0, 12, 0); });
    shown_with([](auto& flow, auto&) { add_packet(flow, 0, 13, 0); });
    for (const bool reverse : {false, true}) {
        shown_with([&](auto&, auto& messages) {
            messages.fields.push_back(
                {EvidenceKind::field, "ssdp.server", "Plug/1", "", 0, 0, reverse, ""});
        });
    }
    shown_with([](auto&, auto& messages) {
        messages.names.push_back(
            {EvidenceKind::name, "tls.sni", "logs.example", "", 0, 0, false, ""});
    });
    Annotator remembers(labels.rules(), labels.memory);
    std::set<std::string> texts;
    for (int round = 0; round < 2; ++round) {
        for (const auto& [flow, messages] : shown) {
            const Annotation known = remembers.annotate(flow, messages, {});
            const Annotation fresh =
                Annotator(labels.rules(), labels.memory).annotate(flow, messages, {});
            STRCMP_EQUAL(fresh.flow_type.c_str(), known.flow_type.c_str());
            STRCMP_EQUAL(fresh.label->matched.c_str(), known.label->matched.c_str());
            STRCMP_EQUAL(fresh.label->what.c_str(), known.label->what.c_str());
            STRCMP_EQUAL(fresh.label->why.c_str(), known.label->why.c_str());
            texts.insert(known.label->matched + known.label->what + known.label->why);
        }
    }
    CHECK_EQUAL(shown.size(), texts.size());
}

}  // namespace curlew::collector

#include "collector/labeller.h"

#include "tests/collector/label_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string other_signature(const char* id, const char* says) {
    return "[[signature]]\nid = '" + std::string(id) + "'\ntitle = 't'\nreference = 'r'\n" + says;
}

const std::string kSignatures =
    payload_signature("tls", "protocol = 'tls'") + payload_signature("late", "label = 'late'") +
    payload_signature("dns", "protocol = 'dns'") +
    payload_signature("mdns", "protocol = 'mdns'\nports = [5353]") +
    payload_signature("answer", "label = 'answer'\nsender = 'responder'") +
    name_signature("company", "example.com", "service = 'company'\nsuffix = true") +
    name_signature("clock", "time.example.com", "service = 'clock'\nactivity = 'time-sync'") +
    name_signature("logs", "logs.example.net", "service = 'logs'") +
    name_signature("shop", "long-shop.example.net", "service = 'shop'\nactivity = 'buying'") +
    field_signature("speaker", "ssdp.server", ".*Speaker/[0-9]+", "label = 'speaker'") +
    field_signature("check", "http.path", "/204", "activity = 'check'") +
    other_signature("steps",
                    "kind = 'sequence'\npattern = '>12<3[0-9]>'\nlabel = 'steps'\n"
                    "examples.match = ['>12<30>1']\nexamples.no_match = ['<12']\n") +
    other_signature("https",
                    "kind = 'port'\npattern = '443'\ntransport = 'tcp'\nprotocol = 'tls'\n") +
    other_signature("refused", "kind = 'behaviour'\npattern = 'refused'\nlabel = 'refused'\n");

Fact payload(const char* signature, uint32_t packet = 0, uint32_t offset = 4) {
    return {EvidenceKind::payload, "payload", "", signature, packet, offset, false};
}

Fact name(const char* value, EvidenceKind kind = EvidenceKind::name) {
    return {kind, "tls.sni", value, "", 0, 0, false};
}

}  // namespace

TEST_GROUP(Labeller) {
    LabelFixture labels{any_group(), kSignatures};
    Labeller labeller{labels.content};
    FlowFacts facts;

    void setup() override {
        facts.protocol = 6;
        facts.initiator = "10.0.0.5";
        facts.responder = "192.0.2.9";
        facts.initiator_port = 40000;
        facts.responder_port = 8443;
        facts.flow_start_us = 1'000'000;
        facts.end_us = 2'000'000;
        facts.has_payload = true;
    }

    std::string type() {
        return labeller.label(facts).type;
    }

    std::string evidence(const Label& label) const {
        std::string kinds;
        for (const Fact& fact : label.evidence) {
            kinds += std::string(name_of(fact.kind)) + ' ';
        }
        return kinds;
    }
};

TEST(Labeller, nothing_found_is_unknown_by_guess) {
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("unknown", label.type.c_str());
    STRCMP_EQUAL("guess", label.confidence.c_str());
    CHECK(strongest_evidence(label) == EvidenceKind::none);
}

TEST(Labeller, the_type_is_the_protocols_word_where_none_is_said) {
    facts.facts = {payload("tls")};
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("tls", label.type.c_str());
    STRCMP_EQUAL("tls", label.protocol.c_str());
    STRCMP_EQUAL("certain", label.confidence.c_str());
}

TEST(Labeller, payload_gives_the_type_and_a_name_the_service) {
    facts.facts = {name("time.example.com"), payload("tls")};
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("tls", label.type.c_str());
    STRCMP_EQUAL("clock", label.service.c_str());
    STRCMP_EQUAL("time-sync", label.activity.c_str());
    STRCMP_EQUAL("payload name ", evidence(label).c_str());
}

TEST(Labeller, the_longest_name_says_most_and_unlisted_ones_are_kept) {
    facts.facts = {name("www.example.com"), name("time.example.com"), name("very.long.other.org")};
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("clock", label.service.c_str());
    CHECK_EQUAL(1, label.evidence.size());
    CHECK_EQUAL(3, label.matched.size());
}

// As a socket that asks for several names.
TEST(Labeller, what_is_done_is_told_by_the_name_that_tells_where) {
    facts.facts = {payload("dns"), name("time.example.com"), name("long-shop.example.net")};
    Label label = labeller.label(facts);
    STRCMP_EQUAL("shop", label.service.c_str());
    STRCMP_EQUAL("buying", label.activity.c_str());
    STRCMP_EQUAL("payload name ", evidence(label).c_str());
    // A name that tells no activity has none of another's.
    facts.facts = {payload("dns"), name("a.time.example.com"), name("time.example.com")};
    label = labeller.label(facts);
    STRCMP_EQUAL("company", label.service.c_str());
    STRCMP_EQUAL("", label.activity.c_str());
    // What no name tells is the flow's own.
    facts.facts = {payload("dns"), name("time.example.com"), name("a-longer.example.com")};
    facts.fields = {{EvidenceKind::field, "http.path", "/204", {}, 0, 0, false}};
    label = labeller.label(facts);
    STRCMP_EQUAL("company", label.service.c_str());
    STRCMP_EQUAL("check", label.activity.c_str());
}

TEST(Labeller, a_host_loses_its_port_for_the_look_up) {
    facts.facts = {name("time.example.com:8080")};
    STRCMP_EQUAL("clock", labeller.label(facts).service.c_str());
}

TEST(Labeller, the_earlier_packet_wins_then_the_port_then_the_longer_match) {
    facts.facts = {payload("late", 3), payload("tls", 1)};
    STRCMP_EQUAL("tls", type().c_str());
    facts.facts = {payload("dns", 0, 40), payload("mdns", 0, 7)};
    STRCMP_EQUAL("mdns", type().c_str());
    facts.facts = {payload("dns", 0, 7), payload("tls", 0, 9)};
    STRCMP_EQUAL("tls", type().c_str());
}

TEST(Labeller, a_signature_of_the_other_side_does_not_count) {
    facts.facts = {payload("answer")};
    STRCMP_EQUAL("unknown", type().c_str());
    facts.facts[0].reverse = true;
    STRCMP_EQUAL("answer", type().c_str());
}

TEST(Labeller, a_field_is_matched_whole) {
    facts.fields = {{EvidenceKind::field, "ssdp.server", "Linux Speaker/12", "", 0, 0, false}};
    STRCMP_EQUAL("speaker", type().c_str());
    facts.fields[0].value += " beta";
    STRCMP_EQUAL("unknown", type().c_str());
    facts.fields[0] = {EvidenceKind::field, "http.server", "Linux Speaker/12", "", 0, 0, false};
    STRCMP_EQUAL("unknown", type().c_str());
}

TEST(Labeller, a_sequence_begins_with_the_first_packet) {
    facts.symbols = ">12<34>900";
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("steps", label.type.c_str());
    STRCMP_EQUAL("likely", label.confidence.c_str());
    facts.symbols = ">1>12<34>900";
    STRCMP_EQUAL("unknown", type().c_str());
}

TEST(Labeller, names_of_an_address_that_agree_are_likely_evidence) {
    facts.facts = {name("logs.example.net", EvidenceKind::name_by_dns), payload("tls")};
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("logs", label.service.c_str());
    STRCMP_EQUAL("payload name-by-dns ", evidence(label).c_str());
}

TEST(Labeller, names_of_an_address_that_disagree_are_ambiguous_and_all_are_told) {
    facts.facts = {name("logs.example.net", EvidenceKind::name_by_dns),
                   name("www.example.com", EvidenceKind::name_by_dns)};
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("ambiguous", label.service.c_str());
    CHECK_EQUAL(2, label.evidence.size());
    facts.facts[1].value = "unlisted.example.org";
    STRCMP_EQUAL("ambiguous", labeller.label(facts).service.c_str());
    facts.facts.push_back(name("time.example.com"));
    STRCMP_EQUAL("clock", labeller.label(facts).service.c_str());
}

TEST(Labeller, a_name_of_the_flow_s_own_overrules_what_dns_said_of_the_address) {
    facts.facts = {payload("tls"), name("logs.example.net", EvidenceKind::name_by_dns)};
    STRCMP_EQUAL("logs", labeller.label(facts).service.c_str());
    facts.facts.push_back(name("unlisted.example.org"));
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("tls", label.type.c_str());
    STRCMP_EQUAL("", label.service.c_str());
    STRCMP_EQUAL("payload ", evidence(label).c_str());
    // It is still told.
    CHECK_EQUAL(3u, label.matched.size());
    // A question is no name of whom it is asked.
    facts.facts.back().field = "dns.question";
    STRCMP_EQUAL("logs", labeller.label(facts).service.c_str());
}

TEST(Labeller, what_is_no_name_of_a_host_overrules_nothing) {
    facts.facts = {payload("tls"), name("logs.example.net", EvidenceKind::name_by_dns), name("")};
    for (const std::string& value : {std::string(15, '\0'),
                                     std::string("192.0.2.9"),
                                     std::string("192.0.2.9:8080"),
                                     std::string("fe80::1"),
                                     std::string("[fe80::1]:443"),
                                     std::string("a b")}) {
        facts.facts.back().value = value;
        STRCMP_EQUAL("logs", labeller.label(facts).service.c_str());
    }
    for (const char* value : {"unlisted.example.org:80", "Host_1", "m\xc3\xbcnchen.example"}) {
        facts.facts.back().value = value;
        STRCMP_EQUAL("", labeller.label(facts).service.c_str());
    }
}

TEST(Labeller, a_port_alone_is_a_guess) {
    facts.responder_port = 443;
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("tls", label.type.c_str());
    STRCMP_EQUAL("guess", label.confidence.c_str());
    facts.protocol = 17;
    STRCMP_EQUAL("unknown", type().c_str());
}

TEST(Labeller, a_flow_without_beginning_continues_an_earlier_one_of_its_endpoints) {
    facts.flow_id = "first";
    facts.facts = {payload("tls"), name("time.example.com")};
    facts.begin_seen = true;
    labeller.label(facts);

    FlowFacts later = facts;
    later.flow_id = "second";
    later.facts.clear();
    later.begin_seen = false;
    later.flow_start_us = facts.end_us + Labeller::kContinuedWithin_us;
    std::swap(later.initiator, later.responder);
    std::swap(later.initiator_port, later.responder_port);
    const Label label = labeller.label(later);
    STRCMP_EQUAL("tls", label.type.c_str());
    STRCMP_EQUAL("clock", label.service.c_str());
    STRCMP_EQUAL("likely", label.confidence.c_str());
    STRCMP_EQUAL("continued ", evidence(label).c_str());
    STRCMP_EQUAL("first", label.evidence[0].value.c_str());

    later.begin_seen = true;
    STRCMP_EQUAL("unknown", labeller.label(later).type.c_str());
    later.begin_seen = false;
    ++later.flow_start_us;
    STRCMP_EQUAL("unknown", labeller.label(later).type.c_str());
}

TEST(Labeller, a_connection_that_was_silent_speaks_to_whom_it_spoke_before) {
    facts.flow_id = "first";
    facts.facts = {payload("tls"), name("time.example.com")};
    facts.begin_seen = true;
    labeller.label(facts);
    FlowFacts later = facts;
    later.facts = {payload("tls")};
    later.begin_seen = false;
    const auto at = [&later](const char* flow_id) {
        later.flow_id = flow_id;
        later.flow_start_us = later.end_us + 400'000'000;
        later.end_us = later.flow_start_us + 1'000'000;
    };
    // Each hands on what it was told.
    for (const char* flow_id : {"second", "third"}) {
        at(flow_id);
        const Label label = labeller.label(later);
        STRCMP_EQUAL("tls", label.type.c_str());
        STRCMP_EQUAL("clock", label.service.c_str());
        STRCMP_EQUAL("time-sync", label.activity.c_str());
        STRCMP_EQUAL("certain", label.confidence.c_str());
        STRCMP_EQUAL("payload continued ", evidence(label).c_str());
        STRCMP_EQUAL("first", label.matched.back().value.c_str());
        // The flow's next records, too.
        for (int record = 1; record < 3; ++record) {
            later.end_us += 300'000'000;
            STRCMP_EQUAL("clock", labeller.label(later).service.c_str());
        }
    }
    // A connection that begins, one that says its service, another protocol.
    at("begins");
    later.begin_seen = true;
    STRCMP_EQUAL("", labeller.label(later).service.c_str());
    at("others");
    later.begin_seen = false;
    later.facts = {payload("tls"), name("logs.example.net")};
    STRCMP_EQUAL("logs", labeller.label(later).service.c_str());
    at("dns");
    later.facts = {payload("dns")};
    STRCMP_EQUAL("", labeller.label(later).service.c_str());
}

TEST(Labeller, what_is_ambiguous_is_no_service_to_go_on_with) {
    facts.flow_id = "first";
    facts.facts = {payload("tls"),
                   name("time.example.com", EvidenceKind::name_by_dns),
                   name("logs.example.net", EvidenceKind::name_by_dns)};
    facts.begin_seen = true;
    STRCMP_EQUAL("ambiguous", labeller.label(facts).service.c_str());
    FlowFacts later = facts;
    later.flow_id = "second";
    later.facts = {payload("tls")};
    later.begin_seen = false;
    later.flow_start_us = facts.end_us + 1;
    STRCMP_EQUAL("", labeller.label(later).service.c_str());
}

TEST(Labeller, datagrams_between_the_same_ends_are_of_no_one_connection) {
    facts.protocol = 17;
    facts.flow_id = "first";
    facts.facts = {payload("dns"), name("time.example.com")};
    labeller.label(facts);
    FlowFacts later = facts;
    later.flow_id = "second";
    later.facts = {payload("dns")};
    later.flow_start_us = facts.end_us + 1;
    STRCMP_EQUAL("", labeller.label(later).service.c_str());
}

TEST(Labeller, the_last_of_many_flows_is_continued) {
    facts.facts = {payload("tls")};
    FlowFacts later = facts;
    later.flow_id = "later";
    later.facts.clear();
    later.begin_seen = false;
    // More, and fewer, than are remembered at once.
    for (const int flows : {1000, 3}) {
        for (int flow = 0; flow < flows; ++flow) {
            facts.initiator_port = static_cast<uint16_t>(10'000 + flow % 10);
            facts.flow_id = "flow " + std::to_string(flows) + "/" + std::to_string(flow);
            labeller.label(facts);
        }
        later.initiator_port = 10'002;
        STRCMP_EQUAL(flows == 3 ? "flow 3/2" : "flow 1000/992",
                     labeller.label(later).evidence[0].value.c_str());
    }
}

TEST(Labeller, an_id_longer_than_any_is_no_id) {
    facts.facts = {payload("tls")};
    facts.flow_id = std::string(kLongestFlowId + 1, '1');
    labeller.label(facts);
    facts.facts.clear();
    facts.begin_seen = false;
    facts.flow_id = "later";
    STRCMP_EQUAL("unknown", type().c_str());
}

TEST(Labeller, how_a_connection_without_payload_went_is_a_guess_at_its_type) {
    facts.facts = {{EvidenceKind::behaviour, "tcp", "refused", "", 0, 0, false}};
    facts.responder_port = 443;
    const Label label = labeller.label(facts);
    STRCMP_EQUAL("refused", label.type.c_str());
    STRCMP_EQUAL("tls", label.protocol.c_str());
    STRCMP_EQUAL("behaviour port ", evidence(label).c_str());
}

}  // namespace curlew::collector

#include "collector/annotator.h"

#include "collector/digest.h"
#include "collector/flow_identity.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// Others than those of flow_identity.h: SCTP came later, and of a later fragment without its first
// Joy knows no protocol.
bool publishes_ports(const proto::FlowSummary& flow) {
    const bool is_middle = (flow.quality() & proto::QUALITY_FRAGMENTED) != 0 &&
                           flow.initiator_port() == 0 && flow.responder_port() == 0;
    return (flow.protocol_identifier() == 6 || flow.protocol_identifier() == 17) && !is_middle;
}

std::string published_label(const signatures::GroupRules& rules, const proto::FlowSummary& flow) {
    const bool reversed = flow.published_reversed();
    const std::string initiator = address_text(flow.initiator_address());
    const std::string responder = address_text(flow.responder_address());
    const auto initiator_port = static_cast<int32_t>(flow.initiator_port());
    const auto responder_port = static_cast<int32_t>(flow.responder_port());

    signatures::RuleView view;
    view.sa = reversed ? responder : initiator;
    view.da = reversed ? initiator : responder;
    if (publishes_ports(flow)) {
        view.sp = reversed ? responder_port : initiator_port;
        view.dp = reversed ? initiator_port : responder_port;
    }
    view.out_ttl = flow.published_ttl_out();
    view.has_in_ttl = flow.has_published_ttl_in();
    view.in_ttl = flow.published_ttl_in();
    return std::string(rules.label(view));
}

// Whoever of the two asked for the other's name, and what the responder announced.
std::vector<Fact> names_of(const proto::FlowSummary& flow, const AddressNames& names) {
    std::vector<Fact> found;
    if (names.size() == 0) {
        return found;
    }
    const std::string& initiator = flow.initiator_address();
    const std::string& responder = flow.responder_address();
    const uint64_t start_us = flow.first_record_start_ns() / 1000;
    for (const bool reverse : {false, true}) {
        for (std::string& name : names.find(
                 reverse ? responder : initiator, reverse ? initiator : responder, start_us)) {
            found.push_back(
                {EvidenceKind::name_by_dns, "dns.answer", std::move(name), {}, 0, 0, reverse, {}});
        }
    }
    if (!has_ports(flow.protocol_identifier()) || flow.responder_port() == 0) {
        return found;
    }
    for (std::string& name : names.find_services(responder,
                                                 static_cast<uint16_t>(flow.responder_port()),
                                                 start_us,
                                                 flow.flow_end_ns() / 1000)) {
        found.push_back(
            {EvidenceKind::name_by_dns, "mdns.srv", std::move(name), {}, 0, 0, true, {}});
    }
    return found;
}

Labeller::Passage passage_of(const proto::FlowSummary& flow, std::string_view flow_id) {
    return {endpoints_of(flow),
            flow_id,
            flow.first_record_start_ns() / 1000,
            flow.flow_end_ns() / 1000,
            (flow.quality() & proto::QUALITY_BEGIN_SEEN) != 0,
            has_payload(flow),
            flow.protocol_identifier() == kProtocolTcp};
}

std::string device_word(const DeviceWords& words,
                        const proto::FlowSummary& flow,
                        const MessageFacts& messages) {
    if (messages.clients[0].empty() && messages.clients[1].empty()) {
        return words.of(ends_of(flow).ends);
    }
    FlowFacts ends;
    ends.initiator = address_text(flow.initiator_address());
    ends.responder = address_text(flow.responder_address());
    ends.initiator_mac = mac_text(flow.forward().source_mac());
    ends.responder_mac = mac_text(flow.reverse().source_mac());
    add_messages({{}, {}, messages.clients}, ends);
    return words.of(ends);
}

}  // namespace

std::string ruleset_name(const std::string& group,
                         const std::string& rules_hash,
                         const std::string& signatures_hash) {
    return group + "-" + sha256_of(rules_hash + "\n" + signatures_hash).substr(0, 16);
}

Annotator::Annotator(const LabelRules& rules, const LineMemory& memory)
    : group_(rules.group),
      memory_(memory),
      devices_(memory.devices(), rules.group),
      device_words_(devices_.known()),
      labeller_(rules.content),
      ruleset_(ruleset_name(
          rules.group.name(), rules.group.content_hash(), rules.content.set().content_hash())) {}

FlowFacts Annotator::facts(const proto::FlowSummary& flow, const MessageFacts& messages) const {
    FlowFacts facts = facts_of(flow);
    add_messages(messages, facts);
    for (Fact& name : names_of(flow, memory_.names())) {
        facts.facts.push_back(std::move(name));
    }
    return facts;
}

// Of the symbols only that they match: how long each packet was tells nearly all flows apart.
void Annotator::make_label_key(const proto::FlowSummary& flow,
                               const MessageFacts& messages,
                               const std::vector<Fact>& names) {
    key_.clear();
    append_facts_key(flow, key_);
    const uint32_t port =
        has_ports(flow.protocol_identifier()) ? flow.responder_port() : uint32_t{0};
    key_.append(reinterpret_cast<const char*>(&port), sizeof port);
    for (const auto* facts : {&names, &messages.fields, &messages.names}) {
        for (const Fact& fact : *facts) {
            append_fact_key(fact, key_);
        }
    }
    const std::string symbols = symbols_of(flow);
    if (labeller_.matches_sequence(flow.protocol_identifier(), symbols)) {
        key_.append(symbols);
    }
}

std::shared_ptr<const WrittenLabel> Annotator::label_by_content(const proto::FlowSummary& flow,
                                                                const MessageFacts& messages) {
    std::vector<Fact> names = names_of(flow, memory_.names());
    make_label_key(flow, messages, names);
    if (const auto* known = labels_.find(key_)) {
        return *known;
    }
    auto label = written(labeller_.by_content(facts(flow, messages)), ruleset_, json_);
    labels_.offer(key_, label);
    return label;
}

Annotation Annotator::annotate(const proto::FlowSummary& flow,
                               const MessageFacts& messages,
                               std::string_view flow_id) {
    Annotation annotation;
    annotation.label = label_by_content(flow, messages);
    if (memory_.any_goes_on_between(flow)) {
        const WrittenLabel& label = *annotation.label;
        if (auto other =
                labeller_.continued(passage_of(flow, flow_id), *label.label, label.passed_on)) {
            annotation.label = written(std::move(*other), ruleset_, json_);
        }
    }
    if (!device_words_.empty()) {
        annotation.device = device_word(device_words_, flow, messages);
    }
    annotation.flow_type =
        group_.has_rules() ? published_label(group_, flow) : annotation.content().type;
    return annotation;
}

std::string Annotator::flow_type(const proto::FlowSummary& flow) const {
    return published_label(group_, flow);
}

}  // namespace curlew::collector

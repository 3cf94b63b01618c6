#include "collector/annotator.h"

#include "collector/digest.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

bool has_ports(const proto::FlowSummary& flow) {
    return flow.protocol_identifier() == 6 || flow.protocol_identifier() == 17;
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
    if (has_ports(flow)) {
        view.sp = reversed ? responder_port : initiator_port;
        view.dp = reversed ? initiator_port : responder_port;
    }
    view.out_ttl = flow.published_ttl_out();
    view.has_in_ttl = flow.published_ttl_in() != 0;
    view.in_ttl = flow.published_ttl_in();
    return std::string(rules.label(view));
}

// Whoever of the two asked for the other's name, and what the responder announced.
void add_names(const proto::FlowSummary& flow, const AddressNames& names, FlowFacts& facts) {
    const std::string& initiator = flow.initiator_address();
    const std::string& responder = flow.responder_address();
    for (const bool reverse : {false, true}) {
        for (std::string& name : names.find(reverse ? responder : initiator,
                                            reverse ? initiator : responder,
                                            facts.flow_start_us)) {
            facts.facts.push_back(
                {EvidenceKind::name_by_dns, "dns.answer", std::move(name), {}, 0, 0, reverse, {}});
        }
    }
    if (facts.responder_port == 0) {
        return;
    }
    for (std::string& name :
         names.find_services(responder, facts.responder_port, facts.flow_start_us, facts.end_us)) {
        facts.facts.push_back(
            {EvidenceKind::name_by_dns, "mdns.srv", std::move(name), {}, 0, 0, true, {}});
    }
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
      devices_(memory.devices().found(rules.group)),
      device_words_(devices_),
      labeller_(rules.content),
      ruleset_(ruleset_name(
          rules.group.name(), rules.group.content_hash(), rules.content.set().content_hash())) {}

Annotation Annotator::annotate(const proto::FlowSummary& flow, FlowFacts& facts) {
    add_names(flow, memory_.names(), facts);
    Annotation annotation;
    annotation.label = labeller_.label(facts);
    annotation.label.device = device_words_.of(facts);
    annotation.flow_type =
        group_.has_rules() ? published_label(group_, flow) : annotation.label.type;
    return annotation;
}

std::string Annotator::flow_type(const proto::FlowSummary& flow) const {
    return published_label(group_, flow);
}

}  // namespace curlew::collector

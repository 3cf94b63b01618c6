#include "collector/annotator.h"

#include <algorithm>

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

// Numbers of kinds are in the order of confidence; a kind that this program does not know is weaker
// than all.
int weakness(const proto::Match& match) {
    const bool known = proto::EvidenceKind_IsValid(match.kind()) && match.kind() != 0;
    return known ? static_cast<int>(match.kind()) : 1000;
}

using MatchList = std::vector<const proto::Match*>;

// Strongest kind first, within a kind the earlier packet, then as the probe listed them.
MatchList strongest_first(const proto::FlowSummary& flow) {
    MatchList matches;
    for (const proto::Match& match : flow.matches()) {
        matches.push_back(&match);
    }
    std::stable_sort(matches.begin(), matches.end(), [](const auto* left, const auto* right) {
        return std::pair(weakness(*left), left->packet()) <
               std::pair(weakness(*right), right->packet());
    });
    return matches;
}

template <typename Says>
const proto::Match* first_that(const MatchList& matches, Says says) {
    const auto found = std::find_if(
        matches.begin(), matches.end(), [&](const auto* match) { return says(*match); });
    return found == matches.end() ? nullptr : *found;
}

// Of several names the longest says most; without a name that a signature lists, anything that
// names a service.
const proto::Match* service_match(const MatchList& matches) {
    const proto::Match* longest = nullptr;
    for (const proto::Match* match : matches) {
        if (match->kind() != proto::EVIDENCE_KIND_NAME || match->service().empty()) {
            continue;
        }
        if (longest == nullptr || match->value().size() > longest->value().size()) {
            longest = match;
        }
    }
    return longest != nullptr
               ? longest
               : first_that(matches, [](const auto& match) { return !match.service().empty(); });
}

Label content_label(const proto::FlowSummary& flow) {
    const MatchList matches = strongest_first(flow);
    const proto::Match* type =
        first_that(matches, [](const auto& match) { return !match.label().empty(); });
    const proto::Match* protocol =
        first_that(matches, [](const auto& match) { return !match.protocol().empty(); });
    const proto::Match* service = service_match(matches);

    Label label;
    label.type = type != nullptr ? wire_text(type->label()) : "unknown";
    label.protocol = protocol != nullptr ? wire_text(protocol->protocol()) : "";
    label.service = service != nullptr ? wire_text(service->service()) : "";
    for (const proto::Match* match : matches) {
        if (match == type || match == protocol || match == service) {
            label.evidence.push_back(match);
        }
    }
    // The type is what a reader believes or not, so its own evidence decides.
    const bool certain = type != nullptr && (type->kind() == proto::EVIDENCE_KIND_PAYLOAD ||
                                             type->kind() == proto::EVIDENCE_KIND_NAME);
    label.confidence = certain ? "certain" : "guess";
    return label;
}

}  // namespace

const char* name_of(proto::EvidenceKind kind) noexcept {
    switch (kind) {
        case proto::EVIDENCE_KIND_PAYLOAD:
            return "payload";
        case proto::EVIDENCE_KIND_NAME:
            return "name";
        case proto::EVIDENCE_KIND_PORT:
            return "port";
        default:
            return "none";
    }
}

const char* strongest_evidence(const Label& label) noexcept {
    return label.evidence.empty() ? "none" : name_of(label.evidence.front()->kind());
}

Annotator::Annotator(const signatures::GroupRules& rules)
    : rules_(rules), ruleset_(rules.name() + "-" + rules.content_hash()) {}

Annotation Annotator::annotate(const proto::FlowSummary& flow) const {
    Annotation annotation;
    annotation.label = content_label(flow);
    annotation.flow_type =
        rules_.has_rules() ? published_label(rules_, flow) : annotation.label.type;
    return annotation;
}

}  // namespace curlew::collector

#include "collector/labeller.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using signatures::Signature;

constexpr std::string_view kAmbiguous = "ambiguous";
// Endpoints remembered; beyond, none is added.
constexpr size_t kMaximumKnown = 200'000;

signatures::Transport transport_of(uint32_t protocol) {
    using enum signatures::Transport;
    return protocol == kProtocolTcp ? tcp : protocol == 17 ? udp : any;
}

bool sent_by(const Signature& signature, const Fact& fact) {
    return signature.sender == signatures::Sender::any ||
           fact.reverse == (signature.sender == signatures::Sender::responder);
}

// The same for both directions of the endpoints.
std::optional<FlowKeyOctets> endpoints_of(const FlowFacts& facts) {
    const std::string initiator = address_octets(facts.initiator);
    const std::string responder = address_octets(facts.responder);
    if (initiator.empty() || initiator.size() != responder.size()) {
        return std::nullopt;
    }
    return flow_key_octets({initiator, facts.initiator_port},
                           {responder, facts.responder_port},
                           static_cast<uint8_t>(facts.protocol),
                           0);
}

template <typename Hits, typename Says>
const typename Hits::value_type* first_that(const Hits& hits, Says says) {
    for (const auto& hit : hits) {
        if (hit.signature != nullptr && !hit.is_overruled && says(*hit.signature)) {
            return &hit;
        }
    }
    return nullptr;
}

// Letters, and what else stands in names of hosts, with a port or without: no address, no zeros in
// place of a name.
bool is_host_name(std::string_view text) {
    if (std::count(text.begin(), text.end(), ':') > 1) {
        return false;
    }
    bool has_letter = false;
    for (const char octet : text.substr(0, text.find(':'))) {
        const char small = static_cast<char>(octet | 0x20);
        const bool letter = (small >= 'a' && small <= 'z') || (octet & 0x80) != 0;
        const bool other =
            (octet >= '0' && octet <= '9') || octet == '.' || octet == '-' || octet == '_';
        if (!letter && !other) {
            return false;
        }
        has_letter = has_letter || letter;
    }
    return has_letter;
}

// Whom the flow speaks to by its own words: other names of that address are others'.
bool names_its_peer(const Fact& fact) {
    return fact.kind == EvidenceKind::name &&
           (fact.field == "tls.sni" || fact.field == "quic.sni" || fact.field == "http.host") &&
           is_host_name(fact.value);
}

template <typename Hit>
bool is_name(const Hit& hit) {
    return hit.fact.kind == EvidenceKind::name || hit.fact.kind == EvidenceKind::name_by_dns;
}

// Names for one address that do not all say the same service.
template <typename Hits>
bool is_ambiguous(const Hits& hits) {
    const std::string* first = nullptr;
    static const std::string kNothing;
    bool differ = false;
    for (const auto& hit : hits) {
        if (hit.fact.kind == EvidenceKind::name_by_dns && !hit.is_overruled) {
            const std::string& service =
                hit.signature != nullptr ? hit.signature->service : kNothing;
            differ = differ || (first != nullptr && *first != service);
            first = first != nullptr ? first : &service;
        }
    }
    return differ;
}

// Of several names the longest says most; without a name that a signature lists, anything that says
// a service.
template <typename Hits>
const typename Hits::value_type* service_hit(const Hits& hits) {
    const typename Hits::value_type* longest = nullptr;
    for (const auto& hit : hits) {
        if (hit.fact.kind == EvidenceKind::name && hit.signature != nullptr &&
            !hit.signature->service.empty() &&
            (longest == nullptr || hit.fact.value.size() > longest->fact.value.size())) {
            longest = &hit;
        }
    }
    return longest != nullptr
               ? longest
               : first_that(hits, [](const Signature& one) { return !one.service.empty(); });
}

// Of what names say is done, what that one does which tells where: a socket that asks for several
// names does with none what is done with another.
template <typename Hits>
const typename Hits::value_type* activity_hit(const Hits& hits,
                                              const typename Hits::value_type* service) {
    for (const auto& hit : hits) {
        const bool says =
            hit.signature != nullptr && !hit.is_overruled && !hit.signature->activity.empty();
        if (says && (service == nullptr || !is_name(hit) ||
                     hit.signature->service == service->signature->service)) {
            return &hit;
        }
    }
    return nullptr;
}

}  // namespace

std::string confidence_of(EvidenceKind kind) {
    switch (kind) {
        case EvidenceKind::payload:
        case EvidenceKind::name:
        case EvidenceKind::field:
            return "certain";
        case EvidenceKind::name_by_dns:
        case EvidenceKind::sequence:
        case EvidenceKind::continued:
            return "likely";
        default:
            return "guess";
    }
}

void Labeller::add_by_index(Fact fact, uint16_t index, Hits& hits) const {
    Hit hit{nullptr, std::move(fact)};
    if (index != signatures::ContentRules::kNone && sent_by(rules_[index], hit.fact)) {
        hit.signature = &rules_[index];
        hit.fact.signature = hit.signature->id;
        hit.has_ports = !hit.signature->ports.empty();
    }
    hits.push_back(std::move(hit));
}

void Labeller::add_fact(Fact fact, Hits& hits) const {
    const uint16_t index = fact.kind == EvidenceKind::payload     ? rules_.with_id(fact.signature)
                           : fact.kind == EvidenceKind::behaviour ? rules_.behaviour(fact.value)
                                                                  : rules_.name(fact.value);
    add_by_index(std::move(fact), index, hits);
}

// Strongest kind first; within a kind the earlier packet, then what asks for a port as well, then
// what matched more octets, then as they were found.
Labeller::Hits Labeller::hits_of(FlowFacts facts) const {
    Hits hits;
    hits.reserve(facts.facts.size() + 4);
    for (Fact& fact : facts.facts) {
        add_fact(std::move(fact), hits);
    }
    std::vector<uint16_t> found;
    for (const Fact& field : facts.fields) {
        found.clear();
        rules_.fields(field.field, field.value, found);
        for (const uint16_t index : found) {
            if (sent_by(rules_[index], field)) {
                add_by_index(field, index, hits);
            }
        }
    }
    found.clear();
    rules_.sequences(transport_of(facts.protocol), facts.symbols, found);
    for (const uint16_t index : found) {
        add_by_index(
            {EvidenceKind::sequence, "packets", facts.symbols, {}, 0, 0, false}, index, hits);
    }
    const bool has_protocol = std::any_of(hits.begin(), hits.end(), [](const Hit& hit) {
        return hit.signature != nullptr && !hit.signature->protocol.empty();
    });
    if (facts.responder_port != 0 && !has_protocol) {
        const uint16_t index = rules_.port(transport_of(facts.protocol), facts.responder_port);
        if (index != signatures::ContentRules::kNone) {
            add_by_index({EvidenceKind::port,
                          "dp",
                          fmt::format("{}", facts.responder_port),
                          {},
                          0,
                          0,
                          false},
                         index,
                         hits);
        }
    }
    const auto is_stronger = [](const Hit& left, const Hit& right) {
        const auto rank = [](const Hit& hit) {
            return std::make_tuple(hit.fact.kind, hit.fact.packet, !hit.has_ports);
        };
        return std::make_tuple(rank(left), right.fact.offset) <
               std::make_tuple(rank(right), left.fact.offset);
    };
    // Most stand so already, and a stable sort allocates.
    if (!std::is_sorted(hits.begin(), hits.end(), is_stronger)) {
        std::stable_sort(hits.begin(), hits.end(), is_stronger);
    }
    if (hits.size() > kMaximumMatched) {
        hits.resize(kMaximumMatched);
    }
    const bool is_told = std::any_of(
        hits.begin(), hits.end(), [](const Hit& hit) { return names_its_peer(hit.fact); });
    for (Hit& hit : hits) {
        hit.is_overruled = is_told && hit.fact.kind == EvidenceKind::name_by_dns;
    }
    return hits;
}

Labeller::Says Labeller::says_by(const signatures::ContentRules& rules, const Fact& fact) {
    const uint16_t index =
        fact.kind == EvidenceKind::payload ? rules.with_id(fact.signature) : rules.name(fact.value);
    if (index == signatures::ContentRules::kNone || !sent_by(rules[index], fact)) {
        return Says::nothing;
    }
    const Signature& one = rules[index];
    if (!one.service.empty()) {
        return Says::service;
    }
    return !one.label.empty() || !one.protocol.empty() || !one.activity.empty() ? Says::protocol
                                                                                : Says::nothing;
}

bool Labeller::matches_sequence(uint32_t protocol, std::string_view symbols) const {
    std::vector<uint16_t> found;
    rules_.sequences(transport_of(protocol), symbols, found);
    return !found.empty();
}

Label Labeller::by_content(FlowFacts facts) const {
    Hits hits = hits_of(std::move(facts));
    const Hit* type = first_that(
        hits, [](const Signature& one) { return !one.label.empty() || !one.protocol.empty(); });
    const Hit* protocol =
        first_that(hits, [](const Signature& one) { return !one.protocol.empty(); });
    const Hit* service = service_hit(hits);
    const Hit* activity = activity_hit(hits, service);
    const bool by_dns = service == nullptr || service->fact.kind >= EvidenceKind::name_by_dns;
    const bool ambiguous = by_dns && is_ambiguous(hits);
    if (activity != nullptr && activity->fact.kind == EvidenceKind::name_by_dns &&
        (ambiguous || service == nullptr)) {
        activity = nullptr;
    }

    Label label;
    label.type = type == nullptr                   ? "unknown"
                 : !type->signature->label.empty() ? type->signature->label
                                                   : type->signature->protocol;
    label.protocol = protocol != nullptr ? protocol->signature->protocol : "";
    label.service = service != nullptr ? service->signature->service : "";
    label.activity = activity != nullptr ? activity->signature->activity : "";
    if (ambiguous) {
        label.service = kAmbiguous;
    }
    label.matched.reserve(hits.size());
    label.type_evidence = type != nullptr ? type->fact.kind : EvidenceKind::none;
    for (Hit& hit : hits) {
        // All names of an address are evidence where its service is told by them.
        const bool candidate = hit.fact.kind == EvidenceKind::name_by_dns && !hit.is_overruled &&
                               (ambiguous || (service != nullptr && by_dns));
        if (&hit == type || &hit == protocol || &hit == service || &hit == activity || candidate) {
            label.evidence.push_back(hit.fact);
        }
        label.matched.push_back(std::move(hit.fact));
    }
    label.confidence = confidence_of(label.type_evidence);
    return label;
}

void Labeller::remember_passed() {
    for (const Passed& one : passed_) {
        known_.prefetch(one.endpoints);
    }
    for (Passed& one : passed_) {
        if (known_.size() < kMaximumKnown) {
            known_.insert_or_assign(one.endpoints, std::move(one.known));
        } else if (const auto known = known_.find(one.endpoints); known != known_.end()) {
            known->second = std::move(one.known);
        }
    }
    passed_.clear();
}

void Labeller::pass_on(const Passage& flow,
                       std::string_view said_by,
                       std::shared_ptr<const Label> label) {
    passed_.push_back({*flow.endpoints, {flow.end_us, FlowId(said_by), std::move(label)}});
    if (passed_.size() == kPassedAtOnce) {
        remember_passed();
    }
}

const Labeller::Known* Labeller::earlier_of(const Passage& flow) {
    remember_passed();
    const auto known = known_.find(*flow.endpoints);
    if (known == known_.end() || flow.flow_id == known->second.flow_id.text() ||
        flow.start_us > known->second.end_us + kContinuedWithin_us) {
        return nullptr;
    }
    return &known->second;
}

std::optional<Label> Labeller::continued(const Passage& flow,
                                         const Label& by_content,
                                         const std::shared_ptr<const Label>& passed_on) {
    const bool says = by_content.type_evidence < EvidenceKind::continued;
    const bool goes_on = flow.has_payload && !flow.begin_seen;
    const bool may_go_on = strongest_evidence(by_content) > EvidenceKind::continued && goes_on;
    const bool is_told = !flow.flow_id.empty() && flow.flow_id.size() <= kLongestFlowId;
    if (!flow.endpoints || !is_told || (!says && !may_go_on)) {
        return std::nullopt;
    }
    if (says && (!flow.is_tcp || !goes_on || !by_content.service.empty())) {
        pass_on(flow, flow.flow_id, passed_on);
        return std::nullopt;
    }
    const Known* known = earlier_of(flow);
    const bool is_of_use =
        known != nullptr &&
        (!says || (known->label->protocol == by_content.protocol &&
                   !known->label->service.empty() && known->label->service != kAmbiguous));
    if (!is_of_use) {
        if (says) {
            pass_on(flow, flow.flow_id, passed_on);
        }
        return std::nullopt;
    }
    const Label& earlier = *known->label;
    const Fact fact{EvidenceKind::continued,
                    "flow_id",
                    std::string(known->flow_id.text()),
                    {},
                    0,
                    0,
                    false,
                    {}};
    Label label = by_content;
    label.service = earlier.service;
    label.matched.push_back(fact);
    if (says) {
        label.activity = label.activity.empty() ? earlier.activity : label.activity;
        label.evidence.push_back(fact);
        auto both = std::make_shared<Label>(*passed_on);
        both->service = label.service;
        both->activity = label.activity;
        pass_on(flow, fact.value, std::move(both));
        return label;
    }
    label.type = earlier.type;
    label.protocol = earlier.protocol;
    label.activity = earlier.activity;
    label.confidence = confidence_of(EvidenceKind::continued);
    label.type_evidence = EvidenceKind::continued;
    label.evidence.insert(label.evidence.begin(), fact);
    return label;
}

Label Labeller::label(const FlowFacts& facts) {
    Label label = by_content(facts);
    auto bare = std::make_shared<Label>(label);
    if (bare->type_evidence < EvidenceKind::continued) {
        bare->evidence.clear();
        bare->matched.clear();
    }
    std::optional<Label> other = continued({endpoints_of(facts),
                                            facts.flow_id,
                                            facts.flow_start_us,
                                            facts.end_us,
                                            facts.begin_seen,
                                            facts.has_payload,
                                            facts.protocol == kProtocolTcp},
                                           label,
                                           std::move(bare));
    return other ? std::move(*other) : std::move(label);
}

}  // namespace curlew::collector

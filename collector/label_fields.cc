#include "collector/label_fields.h"

namespace curlew::collector {

void write_facts(JsonLine& json, std::string_view name, const std::vector<Fact>& facts) {
    json.key(name);
    json.start_array();
    for (const Fact& fact : facts) {
        json.start_object();
        json.text("kind", name_of(fact.kind));
        if (fact.kind == EvidenceKind::none) {
            json.end_object();
            continue;
        }
        json.text("field", fact.field);
        json.text("value", fact.value);
        json.text("signature", fact.signature);
        if (fact.kind == EvidenceKind::payload || fact.kind == EvidenceKind::name) {
            json.number("packet", fact.packet);
            json.number("offset", fact.offset);
        }
        json.text("dir", fact.reverse ? "<" : ">");
        json.end_object();
    }
    json.end_array();
}

void write_label(JsonLine& json, const Label& label, std::string_view ruleset) {
    json.key("label");
    json.start_object();
    json.text("type", label.type);
    json.text("protocol", label.protocol);
    json.text("service", label.service);
    json.text("activity", label.activity);
    json.text("device", label.device);
    static const std::vector<Fact> kNothing{Fact{}};
    write_facts(json, "evidence", label.evidence.empty() ? kNothing : label.evidence);
    json.text("confidence", label.confidence);
    json.text("ruleset", ruleset);
    json.end_object();
}

}  // namespace curlew::collector

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
        const bool has_packet = fact.packet != Fact::kNoPacket;
        if (has_packet && (fact.kind == EvidenceKind::payload || fact.kind == EvidenceKind::name)) {
            json.number("packet", fact.packet);
            json.number("offset", fact.offset);
        }
        json.text("dir", fact.reverse ? "<" : ">");
        json.end_object();
    }
    json.end_array();
}

namespace {

void write_what(JsonLine& json, const Label& label) {
    json.text("type", label.type);
    json.text("protocol", label.protocol);
    json.text("service", label.service);
    json.text("activity", label.activity);
}

void write_why(JsonLine& json, const Label& label, std::string_view ruleset) {
    static const std::vector<Fact> kNothing{Fact{}};
    write_facts(json, "evidence", label.evidence.empty() ? kNothing : label.evidence);
    json.text("confidence", label.confidence);
    json.text("ruleset", ruleset);
}

// What `write` writes, as it stands between the braces of an object.
template <typename Write>
std::string members(JsonLine& json, Write write) {
    json.clear();
    json.start_object();
    write();
    json.end_object();
    const std::string_view object = json.finish();
    return std::string(object.substr(1, object.size() - 3));
}

}  // namespace

void write_label(JsonLine& json, const Label& label, std::string_view ruleset) {
    json.key("label");
    json.start_object();
    write_what(json, label);
    json.text("device", label.device);
    write_why(json, label, ruleset);
    json.end_object();
}

std::shared_ptr<const WrittenLabel> written(Label label, std::string_view ruleset, JsonLine& json) {
    auto written = std::make_shared<WrittenLabel>();
    written->matched = members(json, [&] { write_facts(json, "matched", label.matched); });
    written->what = members(json, [&] { write_what(json, label); });
    written->why = members(json, [&] { write_why(json, label, ruleset); });
    if (label.type_evidence < EvidenceKind::continued) {
        Label kept = label;
        kept.evidence.clear();
        kept.matched.clear();
        written->passed_on = std::make_shared<const Label>(std::move(kept));
    }
    written->label = std::make_shared<const Label>(std::move(label));
    if (written->passed_on == nullptr) {
        written->passed_on = written->label;
    }
    return written;
}

void write_label(JsonLine& json, const WrittenLabel& label, std::string_view device) {
    json.raw(label.matched);
    json.key("label");
    json.start_object();
    json.raw(label.what);
    json.text("device", device);
    json.raw(label.why);
    json.end_object();
}

}  // namespace curlew::collector

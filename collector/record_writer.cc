#include "collector/record_writer.h"

#include <fmt/compile.h>

#include <array>
#include <utility>

#include "collector/community_id.h"
#include "collector/flow_identity.h"
#include "collector/statistics_fields.h"
#include "collector/traffic_fields.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr std::pair<proto::Quality, const char*> kQualityNames[] = {
    {proto::QUALITY_BEGIN_SEEN, "begin_seen"},
    {proto::QUALITY_END_SEEN, "end_seen"},
    {proto::QUALITY_ONE_WAY, "one_way"},
    {proto::QUALITY_TRUNCATED, "truncated"},
    {proto::QUALITY_FRAGMENTED, "fragmented"},
    {proto::QUALITY_MERGED_FRAMES, "merged_frames"},
    {proto::QUALITY_MALFORMED, "malformed"},
    {proto::QUALITY_TIME_REVERSED, "time_reversed"},
    {proto::QUALITY_CLASSIFICATION_INCOMPLETE, "classification_incomplete"},
    {proto::QUALITY_LIST_CUT, "list_cut"},
    {proto::QUALITY_METADATA_MALFORMED, "metadata_malformed"},
    {proto::QUALITY_TUNNEL_TOO_DEEP, "tunnel_too_deep"},
};

const char* name_of(proto::DirectionSource source) {
    switch (source) {
        case proto::DIRECTION_SOURCE_SYN:
            return "syn";
        case proto::DIRECTION_SOURCE_SYNACK:
            return "synack";
        case proto::DIRECTION_SOURCE_PAYLOAD:
            return "payload";
        case proto::DIRECTION_SOURCE_PORT:
            return "port";
        default:
            return "first-packet";
    }
}

// Truncated, not rounded: the digits are those of the capture's microseconds.
void write_seconds(JsonLine& json, std::string_view name, uint64_t time_ns) {
    std::array<char, 32> text;
    const auto end = fmt::format_to_n(text.data(),
                                      text.size(),
                                      FMT_COMPILE("{}.{:06}"),
                                      time_ns / 1'000'000'000,
                                      time_ns / 1000 % 1'000'000);
    json.key(name);
    json.raw({text.data(), end.size});
}

void write_endpoints(JsonLine& json, const proto::FlowSummary& flow) {
    const uint32_t protocol = flow.protocol_identifier();
    json.text("sa", address_text(flow.initiator_address()));
    json.text("da", address_text(flow.responder_address()));
    json.number("pr", protocol);
    if (has_ports(protocol)) {
        json.number("sp", flow.initiator_port());
        json.number("dp", flow.responder_port());
    } else {
        json.null("sp");
        json.null("dp");
    }
    json.number("bytes_out", flow.forward().payload_octets());
    json.number("num_pkts_out", flow.forward().packets());
    if (flow.has_reverse()) {
        json.number("bytes_in", flow.reverse().payload_octets());
        json.number("num_pkts_in", flow.reverse().packets());
    }
}

void write_times(JsonLine& json, const proto::FlowSummary& flow) {
    write_seconds(json, "time_start", flow.flow_start_ns());
    write_seconds(json, "time_end", flow.flow_end_ns());
    json.number("time_start_ns", flow.flow_start_ns());
    json.number("time_end_ns", flow.flow_end_ns());
}

void write_quality(JsonLine& json, uint32_t bits) {
    json.key("quality");
    json.start_array();
    for (const auto& [bit, name] : kQualityNames) {
        if ((bits & static_cast<uint32_t>(bit)) != 0) {
            json.text(name);
        }
    }
    json.end_array();
}

void write_wire_text(JsonLine& json, std::string_view name, std::string_view octets) {
    if (is_utf8(octets)) {
        json.text(name, octets);
    } else {
        json.text(name, wire_text(octets));
    }
}

void write_match(JsonLine& json, const proto::Match& match, bool with_place) {
    json.start_object();
    json.text("kind", collector::name_of(match.kind()));
    write_wire_text(json, "field", match.field());
    write_wire_text(json, "value", match.value());
    write_wire_text(json, "signature", match.signature());
    if (with_place) {
        json.number("packet", match.packet());
        json.number("offset", match.offset());
    }
    json.end_object();
}

void write_matched(JsonLine& json, const proto::FlowSummary& flow) {
    json.key("matched");
    json.start_array();
    for (const proto::Match& one : flow.matches()) {
        write_match(json, one, false);
    }
    json.end_array();
}

void write_label(JsonLine& json, const Label& label, std::string_view ruleset) {
    json.key("label");
    json.start_object();
    json.text("type", label.type);
    json.text("protocol", label.protocol);
    json.text("service", label.service);
    json.key("evidence");
    json.start_array();
    for (const proto::Match* one : label.evidence) {
        write_match(json, *one, true);
    }
    if (label.evidence.empty()) {
        json.start_object();
        json.text("kind", "none");
        json.end_object();
    }
    json.end_array();
    json.text("confidence", label.confidence);
    json.text("ruleset", ruleset);
    json.end_object();
}

void write_community_id(JsonLine& json, std::string_view id) {
    if (!id.empty()) {
        json.text("community_id", id);
    }
}

void write_bookkeeping(JsonLine& json, const proto::FlowSummary& flow, FlowIdMaker& flow_ids) {
    json.text("direction_source", name_of(flow.direction_source()));
    json.number("flow_end_reason", static_cast<uint64_t>(flow.flow_end_reason()));
    if (flow.flow_end_reason() == proto::FLOW_END_REASON_IDLE_TIMEOUT) {
        json.text("expire_type", "i");
    } else if (flow.flow_end_reason() == proto::FLOW_END_REASON_ACTIVE_TIMEOUT) {
        json.text("expire_type", "a");
    }
    json.text("flow_id", flow_ids.make(flow));
    json.number("record", flow.record_number());
}

}  // namespace

struct RecordWriter::Implementation {
    FieldSet fields;
    std::string ruleset;
    JsonLine json;
    FlowIdMaker flow_ids;
    CommunityIdMaker community_ids;
    MetadataCounts metadata;
    CertificateWriter certificates;

    Implementation(FieldSet field_set, std::string ruleset_name)
        : fields(field_set), ruleset(std::move(ruleset_name)) {}
};

RecordWriter::RecordWriter(FieldSet fields, std::string ruleset)
    : implementation_(std::make_unique<Implementation>(fields, std::move(ruleset))) {}
RecordWriter::~RecordWriter() = default;

std::string_view RecordWriter::write(const proto::FlowSummary& flow, const Annotation& annotation) {
    const FieldSet fields = implementation_->fields;
    JsonLine& json = implementation_->json;
    json.clear();
    json.start_object();
    write_endpoints(json, flow);
    write_times(json, flow);
    if (fields != FieldSet::slim && flow.has_packets()) {
        write_packet_list(json, flow);
    }
    write_payload_numbers(json, flow, fields);
    write_ip(json, flow, fields);
    write_tcp(json, flow);
    write_first_payloads(json, flow);
    if (fields == FieldSet::full) {
        write_first_packets(json, flow);
    }
    write_link_layer(json, flow);
    write_community_id(json, implementation_->community_ids.make(flow));
    uint32_t quality = flow.quality();
    if (fields != FieldSet::slim) {
        write_statistics(json, flow);
        const MetadataCounts counts = write_metadata(json, implementation_->certificates, flow);
        implementation_->metadata.add(counts);
        quality |= counts.malformed == 0 ? 0u : proto::QUALITY_METADATA_MALFORMED;
    }
    write_bookkeeping(json, flow, implementation_->flow_ids);
    write_quality(json, quality);
    write_matched(json, flow);
    write_label(json, annotation.label, implementation_->ruleset);
    write_wire_text(json, "flow_type", annotation.flow_type);
    json.end_object();
    return json.finish();
}

MetadataCounts RecordWriter::metadata() const noexcept {
    return implementation_->metadata;
}

std::optional<FieldSet> field_set_named(std::string_view name) noexcept {
    for (const FieldSet fields : {FieldSet::slim, FieldSet::standard, FieldSet::full}) {
        if (name == name_of(fields)) {
            return fields;
        }
    }
    return std::nullopt;
}

const char* name_of(FieldSet fields) noexcept {
    switch (fields) {
        case FieldSet::slim:
            return "slim";
        case FieldSet::standard:
            return "standard";
        case FieldSet::full:
            return "full";
    }
    return "";
}

}  // namespace curlew::collector

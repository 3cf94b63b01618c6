#include "collector/record_writer.h"

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <utility>

#include "collector/community_id.h"
#include "collector/flow_identity.h"
#include "collector/label_fields.h"
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
    {proto::QUALITY_LOSS, "loss"},
    {proto::QUALITY_DUPLICATE, "duplicate"},
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

void write_copies(JsonLine& json, const proto::FlowSummary& flow) {
    if (flow.forward().copies() != 0) {
        json.number("copies_out", flow.forward().copies());
    }
    if (flow.reverse().copies() != 0) {
        json.number("copies_in", flow.reverse().copies());
    }
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

// Messages that hold fields which signatures look at.
bool has_fields(const proto::FlowSummary& flow) {
    return std::any_of(flow.messages().begin(), flow.messages().end(), [](const auto& message) {
        switch (message.protocol()) {
            case proto::MESSAGE_PROTOCOL_DNS:
            case proto::MESSAGE_PROTOCOL_LLMNR:
            case proto::MESSAGE_PROTOCOL_NTP:
            case proto::MESSAGE_PROTOCOL_SMB:
                return false;
            default:
                return true;
        }
    });
}

void write_community_id(JsonLine& json, std::string_view id) {
    if (!id.empty()) {
        json.text("community_id", id);
    }
}

void write_bookkeeping(JsonLine& json, const proto::FlowSummary& flow, std::string_view flow_id) {
    json.text("direction_source", name_of(flow.direction_source()));
    json.number("flow_end_reason", static_cast<uint64_t>(flow.flow_end_reason()));
    if (flow.flow_end_reason() == proto::FLOW_END_REASON_IDLE_TIMEOUT) {
        json.text("expire_type", "i");
    } else if (flow.flow_end_reason() == proto::FLOW_END_REASON_ACTIVE_TIMEOUT) {
        json.text("expire_type", "a");
    }
    json.text("flow_id", flow_id);
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
    JsonLine metadata_line;
    FieldReader field_reader;

    Implementation(FieldSet field_set, std::string ruleset_name)
        : fields(field_set), ruleset(std::move(ruleset_name)) {}
};

RecordWriter::RecordWriter(FieldSet fields, std::string ruleset)
    : implementation_(std::make_unique<Implementation>(fields, std::move(ruleset))) {}
RecordWriter::~RecordWriter() = default;

// What is decoded is read back by the same words as from a stored record, so that both give the
// same facts.
uint32_t RecordWriter::write_messages(const proto::FlowSummary& flow, FlowFacts& facts) {
    JsonLine& line = implementation_->metadata_line;
    line.clear();
    line.start_object();
    const MetadataCounts counts = write_metadata(line, implementation_->certificates, flow);
    line.end_object();
    implementation_->metadata.add(counts);
    // The members without the braces around them.
    std::string_view object = line.finish();
    object.remove_suffix(1);
    if (object.size() > 2) {
        implementation_->json.raw(object.substr(1, object.size() - 2));
        if (has_fields(flow)) {
            implementation_->field_reader.read(object, facts);
        }
    }
    return counts.malformed == 0 ? 0u : static_cast<uint32_t>(proto::QUALITY_METADATA_MALFORMED);
}

void RecordWriter::begin(const proto::FlowSummary& flow, FlowFacts& facts) {
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
        quality |= write_messages(flow, facts);
    }
    facts.flow_id = implementation_->flow_ids.make(flow);
    write_bookkeeping(json, flow, facts.flow_id);
    write_copies(json, flow);
    write_quality(json, quality);
}

std::string_view RecordWriter::finish(const Annotation& annotation) {
    JsonLine& json = implementation_->json;
    write_facts(json, "matched", annotation.label.matched);
    write_label(json, annotation.label, implementation_->ruleset);
    json.text("flow_type", annotation.flow_type);
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

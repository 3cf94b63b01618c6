#include "collector/record_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "collector/community_id.h"
#include "collector/flow_identity.h"
#include "collector/label_fields.h"
#include "collector/octet_memory.h"
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
    {proto::QUALITY_GAP, "gap"},
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
    constexpr size_t kDigits = 6;
    std::array<char, 32> text;
    char* at = std::to_chars(text.data(), text.data() + 20, time_ns / 1'000'000'000).ptr;
    *at = '.';
    uint64_t microseconds = time_ns / 1000 % 1'000'000;
    for (size_t digit = kDigits; digit > 0; --digit) {
        at[digit] = static_cast<char>('0' + microseconds % 10);
        microseconds /= 10;
    }
    json.key(name);
    json.raw({text.data(), static_cast<size_t>(at + kDigits + 1 - text.data())});
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

// Decodes the messages of flows, those that come again and again once.
class MessageWriter {
  public:
    struct Written {
        std::string members;  // of the record; empty: none
        MetadataCounts counts;
        MessageFacts facts;
    };

    // Good until the next call.
    const Written& write(const proto::FlowSummary& flow) {
        const bool may_repeat = make_key(flow);
        if (may_repeat) {
            if (const Written* known = known_.find(key_)) {
                return *known;
            }
        }
        last_ = decode(flow);
        if (may_repeat) {
            known_.offer(key_, last_);
        }
        return last_;
    }

  private:
    // False where nobody says the same twice: a query's identifier alone is another each time.
    bool make_key(const proto::FlowSummary& flow) {
        key_.clear();
        for (const proto::ProtocolMessage& message : flow.messages()) {
            switch (message.protocol()) {
                case proto::MESSAGE_PROTOCOL_IGMP:
                case proto::MESSAGE_PROTOCOL_MDNS:
                case proto::MESSAGE_PROTOCOL_SSDP:
                    append_message_key(message, key_);
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    // What is decoded is read back by the same words as from a stored record, so that both give the
    // same facts.
    Written decode(const proto::FlowSummary& flow) {
        line_.clear();
        line_.start_object();
        Written written{{}, write_metadata(line_, certificates_, flow), {}};
        line_.end_object();
        // The members without the braces around them.
        std::string_view object = line_.finish();
        object.remove_suffix(1);
        if (object.size() > 2) {
            written.members = object.substr(1, object.size() - 2);
            written.facts = says_only_mdns(flow) ? mdns_facts(flow) : fields_.read(object);
        }
        return written;
    }

    OctetMemory<Written> known_;
    std::string key_;
    Written last_;
    JsonLine line_;
    CertificateWriter certificates_;
    FieldReader fields_;
};

}  // namespace

struct RecordWriter::Implementation {
    explicit Implementation(FieldSet field_set) : fields(field_set) {}

    FieldSet fields;
    JsonLine json;
    FlowIdMaker flow_ids;
    CommunityIdMaker community_ids;
    MetadataCounts metadata;
    MessageWriter messages;
};

RecordWriter::RecordWriter(FieldSet fields)
    : implementation_(std::make_unique<Implementation>(fields)) {}
RecordWriter::~RecordWriter() = default;

RecordWriter::Begun RecordWriter::begin(const proto::FlowSummary& flow) {
    static const MessageFacts kNothing;
    Implementation& own = *implementation_;
    const FieldSet fields = own.fields;
    JsonLine& json = own.json;
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
    write_community_id(json, own.community_ids.make(flow));
    uint32_t quality = flow.quality();
    const MessageFacts* facts = &kNothing;
    if (fields != FieldSet::slim) {
        write_statistics(json, flow);
        if (flow.messages_size() > 0) {
            const MessageWriter::Written& messages = own.messages.write(flow);
            own.metadata.add(messages.counts);
            facts = &messages.facts;
            if (!messages.members.empty()) {
                json.raw(messages.members);
            }
            quality |= messages.counts.malformed == 0
                           ? 0u
                           : static_cast<uint32_t>(proto::QUALITY_METADATA_MALFORMED);
        }
    }
    const std::string_view flow_id = own.flow_ids.make(flow);
    write_bookkeeping(json, flow, flow_id);
    write_copies(json, flow);
    write_quality(json, quality);
    return {*facts, flow_id};
}

std::string_view RecordWriter::finish(const Annotation& annotation) {
    JsonLine& json = implementation_->json;
    write_label(json, *annotation.label, annotation.device);
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

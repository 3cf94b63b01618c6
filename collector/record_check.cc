#include "collector/record_check.h"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <charconv>
#include <optional>

#include "collector/dataset_config.h"
#include "collector/flow_identity.h"
#include "collector/json_members.h"
#include "collector/tunnel_fields.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using rapidjson::Value;

// Null and absent are 0, as the key has it.
bool read(const Value& object, const char* name, uint64_t maximum, uint64_t& number) {
    const Value* value = member(object, name);
    if (value == nullptr || value->IsNull()) {
        number = 0;
        return true;
    }
    number = value->IsUint64() ? value->GetUint64() : 0;
    return value->IsUint64() && number <= maximum;
}

bool read_ordinal(const std::string& flow_id, uint32_t& ordinal) {
    const size_t plus = flow_id.find('+');
    ordinal = 0;
    if (plus == std::string::npos) {
        return !flow_id.empty();
    }
    const char* end = flow_id.data() + flow_id.size();
    const auto result = std::from_chars(flow_id.data() + plus + 1, end, ordinal);
    return result.ec == std::errc{} && result.ptr == end;
}

bool is_joy_record(const Value& record) {
    uint64_t number = 0;
    const Value* start = member(record, "time_start");
    const Value* packets = member(record, "packets");
    return address_octets(text_member(record, "sa")).size() == 4 &&
           address_octets(text_member(record, "da")).size() == 4 &&
           read(record, "pr", 255, number) && read(record, "sp", 65535, number) &&
           read(record, "dp", 65535, number) && start != nullptr && start->IsNumber() &&
           packets != nullptr && packets->IsArray();
}

// The part of the flow's key that the list of tunnels holds.
bool read_tunnel(const Value& record, uint32_t& key) {
    key = 0;
    const Value* tunnels = member(record, "tunnel");
    if (tunnels == nullptr) {
        return true;
    }
    if (!tunnels->IsArray()) {
        return false;
    }
    for (const Value& tunnel : tunnels->GetArray()) {
        uint64_t id = 0;
        if (!tunnel.IsObject() || !read(tunnel, "id", UINT32_MAX, id)) {
            return false;
        }
        if (is_keyed_tunnel(text_member(tunnel, "type"))) {
            if (id > kLargestKeyedTunnel) {
                return false;
            }
            key = static_cast<uint32_t>(id) + 1;
        }
    }
    return true;
}

std::optional<RecordOrder> order_of(const Value& record) {
    const std::string initiator = address_octets(text_member(record, "sa"));
    const std::string responder = address_octets(text_member(record, "da"));
    const std::string flow_id = text_member(record, "flow_id");
    uint64_t protocol = 0;
    uint64_t initiator_port = 0;
    uint64_t responder_port = 0;
    uint32_t tunnel = 0;
    uint64_t record_number = 0;
    RecordOrder order;
    const bool whole = !initiator.empty() && initiator.size() == responder.size() &&
                       member(record, "time_start_ns") != nullptr &&
                       read(record, "time_start_ns", UINT64_MAX, order.flow_start_ns) &&
                       read(record, "pr", 255, protocol) &&
                       read(record, "sp", 65535, initiator_port) &&
                       read(record, "dp", 65535, responder_port) && read_tunnel(record, tunnel) &&
                       read(record, "record", UINT32_MAX, record_number) &&
                       read_ordinal(flow_id, order.flow_ordinal);
    if (!whole) {
        return std::nullopt;
    }
    order.key = flow_key_octets({initiator, static_cast<uint16_t>(initiator_port)},
                                {responder, static_cast<uint16_t>(responder_port)},
                                static_cast<uint8_t>(protocol),
                                tunnel);
    order.record_number = static_cast<uint32_t>(record_number);
    return order;
}

}  // namespace

struct RecordCheck::Implementation {
    bool is_joy = false;
    std::optional<RecordOrder> previous;
};

RecordCheck::RecordCheck(std::string_view preset)
    : implementation_(std::make_unique<Implementation>()) {
    implementation_->is_joy = preset == kJoyPreset;
}
RecordCheck::~RecordCheck() = default;

std::string RecordCheck::check(std::string_view line) {
    ++lines_;
    rapidjson::Document record;
    record.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
        line.data(), line.size());
    if (record.HasParseError() || !record.IsObject()) {
        return fmt::format("line {} is no JSON object", lines_);
    }
    if (implementation_->is_joy) {
        return is_joy_record(record) ? std::string()
                                     : fmt::format("line {} is no flow record", lines_);
    }
    const std::optional<RecordOrder> order = order_of(record);
    if (!order) {
        return fmt::format("line {} is no flow record", lines_);
    }
    const bool sorted = !implementation_->previous || *implementation_->previous <= *order;
    implementation_->previous = order;
    return sorted ? std::string() : fmt::format("line {} is out of order", lines_);
}

}  // namespace curlew::collector

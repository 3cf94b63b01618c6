#include "collector/device_file.h"

#include "collector/json_members.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr int kDeviceFileSchema = 1;

void write_clue(ManifestOutput& json, const DeviceClue& clue) {
    json.start_object();
    json.text("device", clue.device);
    json.text("kind", name_of(clue.fact.kind));
    json.text("field", clue.fact.field);
    json.text("value", clue.fact.value);
    json.text("signature", clue.fact.signature);
    json.number("flows", clue.flows);
    json.flag("believed", clue.believed);
    json.end_object();
}

void write_device(ManifestOutput& json, const Device& device) {
    json.start_object();
    json.text("id", device.id);
    json.text("mac", device.mac);
    json.text("mac_kind", name_of(device.mac_kind));
    json.text("vendor", device.vendor);
    json.text("device", device.device);
    json.text("device_source", device.device_source);
    json.text("discovered", device.discovered);
    json.text("role", device.role);
    json.key("addresses");
    json.start_array();
    for (const auto& [address, span] : device.addresses) {
        json.start_object();
        json.text("address", address);
        json.number("first_us", span.first_us);
        json.number("last_us", span.last_us);
        json.end_object();
    }
    json.end_array();
    json.key("names");
    json.start_array();
    for (const std::string& name : device.names) {
        json.text(wire_text(name));
    }
    json.end_array();
    json.key("evidence");
    json.start_array();
    for (const DeviceClue& clue : device.clues) {
        write_clue(json, clue);
    }
    json.end_array();
    json.end_object();
}

MacKind mac_kind_named(const std::string& word) {
    for (const MacKind kind : {MacKind::universal, MacKind::random, MacKind::router}) {
        if (word == name_of(kind)) {
            return kind;
        }
    }
    return MacKind::none;
}

bool read_clues(const rapidjson::Value& device, std::vector<DeviceClue>& clues) {
    const auto list = device.FindMember("evidence");
    if (list == device.MemberEnd() || !list->value.IsArray()) {
        return false;
    }
    for (const rapidjson::Value& one : list->value.GetArray()) {
        if (!one.IsObject()) {
            return false;
        }
        DeviceClue& clue = clues.emplace_back();
        clue.device = text_member(one, "device");
        clue.fact.kind = evidence_kind_named(text_member(one, "kind"));
        clue.fact.field = text_member(one, "field");
        clue.fact.value = text_member(one, "value");
        clue.fact.signature = text_member(one, "signature");
        const auto flows = one.FindMember("flows");
        clue.flows =
            flows != one.MemberEnd() && flows->value.IsUint64() ? flows->value.GetUint64() : 0;
    }
    return true;
}

// Of a text of this schema; null when it is none.
const rapidjson::Value* devices_of(const rapidjson::Document& document) {
    if (document.HasParseError() || !document.IsObject()) {
        return nullptr;
    }
    const auto found = document.FindMember("devices");
    return found != document.MemberEnd() && found->value.IsArray() ? &found->value : nullptr;
}

}  // namespace

void write_devices(ManifestOutput& json, const DeviceList& list) {
    json.number("devices_found", list.found);
    json.flag("devices_complete", list.complete);
    json.key("devices");
    json.start_array();
    const size_t begin = json.octets();
    for (const Device& device : list.devices) {
        if (json.octets() - begin >= kMaximumListedOctets) {
            break;
        }
        write_device(json, device);
    }
    json.end_array();
}

std::optional<std::string> device_file_of(std::string_view manifest) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(manifest.data(), manifest.size());
    const rapidjson::Value* devices = devices_of(document);
    if (devices == nullptr) {
        return std::nullopt;
    }
    ManifestOutput json;
    json.writer().SetIndent(' ', 2);
    json.start_object();
    json.number("schema", uint64_t{kDeviceFileSchema});
    json.key("devices");
    devices->Accept(json.writer());
    json.end_object();
    return std::string(json.finish());
}

std::optional<std::vector<Device>> parse_device_file(std::string_view text) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    const rapidjson::Value* list = devices_of(document);
    if (list == nullptr) {
        return std::nullopt;
    }
    std::vector<Device> devices;
    for (const rapidjson::Value& one : list->GetArray()) {
        if (!one.IsObject()) {
            return std::nullopt;
        }
        Device& device = devices.emplace_back();
        device.id = text_member(one, "id");
        device.mac = text_member(one, "mac");
        device.device = text_member(one, "device");
        device.vendor = text_member(one, "vendor");
        device.mac_kind = mac_kind_named(text_member(one, "mac_kind"));
        const auto addresses = one.FindMember("addresses");
        if (addresses == one.MemberEnd() || !addresses->value.IsArray()) {
            return std::nullopt;
        }
        for (const rapidjson::Value& address : addresses->value.GetArray()) {
            if (!address.IsObject()) {
                return std::nullopt;
            }
            device.addresses.emplace(text_member(address, "address"), AddressSpan{});
        }
        if (!read_clues(one, device.clues)) {
            return std::nullopt;
        }
    }
    return devices;
}

}  // namespace curlew::collector

#include "collector/protocols/dhcp.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "collector/protocols/cursor.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr uint8_t kHostName = 12;  // RFC 2132 section 3
constexpr uint8_t kRequestedAddress = 50;
constexpr uint8_t kOverload = 52;
constexpr uint8_t kParameterList = 55;
constexpr uint8_t kVendorClass = 60;
constexpr uint32_t kCookie = 0x63825363;

// RFC 2132 section 9.6, RFC 3203, RFC 4388, RFC 6926, RFC 7724.
constexpr const char* kTypeNames[] = {
    "DISCOVER",
    "OFFER",
    "REQUEST",
    "DECLINE",
    "ACK",
    "NAK",
    "RELEASE",
    "INFORM",
    "FORCERENEW",
    "LEASEQUERY",
    "LEASEUNASSIGNED",
    "LEASEUNKNOWN",
    "LEASEACTIVE",
    "BULKLEASEQUERY",
    "LEASEQUERYDONE",
};

std::string type_name(uint8_t type) {
    return type >= 1 && type <= std::size(kTypeNames) ? kTypeNames[type - 1]
                                                      : fmt::format("{}", type);
}

std::string_view up_to_zero(std::string_view field) {
    return field.substr(0, std::min(field.find('\0'), field.size()));
}

// False when an option's length reaches past the end.
bool read_options(std::string_view octets, std::vector<DhcpOption>& options) {
    Cursor reader(octets);
    while (reader.left() != 0) {
        const uint8_t code = reader.u8();
        if (code == kDhcpPad) {
            continue;
        }
        if (code == kDhcpEnd) {
            return true;
        }
        const std::string_view data = reader.take_counted(1);
        if (!reader.ok()) {
            return false;
        }
        options.push_back({code, data});
    }
    return true;
}

// RFC 2132 section 2: zeros behind a text are to be removed.
std::string_view without_zeros(std::string_view text) {
    const size_t last = text.find_last_not_of('\0');
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

std::string_view DhcpMessage::option(uint8_t code) const {
    const auto found =
        std::find_if(options.begin(), options.end(), [code](const DhcpOption& option) {
            return option.code == code;
        });
    return found == options.end() ? std::string_view{} : found->data;
}

std::string DhcpMessage::whole_option(uint8_t code) const {
    std::string data;
    for (const DhcpOption& option : options) {
        if (option.code == code) {
            data.append(option.data);
        }
    }
    return data;
}

//  op 1 | htype 1 | hlen 1 | hops 1 | xid 4 | secs 2 | flags 2 | ciaddr 4 | yiaddr 4 | siaddr 4
//  | giaddr 4 | chaddr 16 | sname 64 | file 128 | cookie 4 | options
DhcpMessage decode_dhcp(std::string_view octets, bool cut) {
    DhcpMessage message;
    Cursor reader(octets);
    message.operation = reader.u8();
    reader.u8();
    const uint8_t hardware_octets = reader.u8();
    reader.u8();
    message.transaction = reader.u32();
    reader.skip(2 + 2);
    message.client_address = reader.take(4);
    message.your_address = reader.take(4);
    message.server_address = reader.take(4);
    message.gateway_address = reader.take(4);
    const std::string_view hardware = reader.take(16);
    message.hardware_address = hardware.substr(0, std::min<size_t>(hardware_octets, 16));
    const std::string_view server_name = reader.take(64);
    const std::string_view file = reader.take(128);
    if (!reader.ok() || reader.u32() != kCookie) {
        message.malformed = !cut;
        return message;
    }
    bool whole = read_options(octets.substr(reader.position()), message.options) || cut;
    // RFC 2132 section 9.3: 1 options in file, 2 in sname, 3 in both.
    const std::string_view overload = message.option(kOverload);
    const int held = overload.size() == 1 ? overload.front() : 0;
    if ((held & 1) != 0) {
        whole = read_options(file, message.options) && whole;
    } else {
        message.file = up_to_zero(file);
    }
    if ((held & 2) != 0) {
        whole = read_options(server_name, message.options) && whole;
    } else {
        message.server_name = up_to_zero(server_name);
    }
    message.malformed = !whole;
    return message;
}

void write_dhcp(JsonLine& json, const DhcpMessage& message) {
    json.number("op", message.operation);
    const std::string_view type = message.option(kDhcpMessageType);
    if (type.size() == 1) {
        json.text("type", type_name(static_cast<uint8_t>(type.front())));
    }
    json.text("xid", fmt::format("{:08x}", message.transaction));
    json.text("ciaddr", address_text(message.client_address));
    json.text("yiaddr", address_text(message.your_address));
    json.text("siaddr", address_text(message.server_address));
    json.text("giaddr", address_text(message.gateway_address));
    json.text("chaddr", mac_text(message.hardware_address));
    const auto text_option = [&](const char* name, uint8_t code) {
        const std::string data = message.whole_option(code);
        if (const std::string_view text = without_zeros(data); !text.empty()) {
            json.text(name, wire_text(text));
        }
    };
    text_option("host_name", kHostName);
    text_option("vendor_class", kVendorClass);
    const std::string_view requested = message.option(kRequestedAddress);
    if (requested.size() == 4) {
        json.text("requested", address_text(requested));
    }
    const std::string parameters = message.whole_option(kParameterList);
    if (!parameters.empty()) {
        json.key("parameters");
        json.start_array();
        for (const char parameter : parameters) {
            json.number(static_cast<uint8_t>(parameter));
        }
        json.end_array();
    }
    if (!message.server_name.empty()) {
        json.text("sname", wire_text(message.server_name));
    }
    if (!message.file.empty()) {
        json.text("file", wire_text(message.file));
    }
    json.key("options");
    json.start_array();
    for (const DhcpOption& option : message.options) {
        json.start_object();
        json.number("code", option.code);
        json.hex("data", option.data);
        json.end_object();
    }
    json.end_array();
}

}  // namespace curlew::collector

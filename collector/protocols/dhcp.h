#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/json_line.h"

// DHCP and BOOTP messages (RFC 2131 section 2, RFC 2132).

namespace curlew::collector {

// Options (RFC 2132) that say how others are read.
inline constexpr uint8_t kDhcpPad = 0;
inline constexpr uint8_t kDhcpMessageType = 53;
inline constexpr uint8_t kDhcpEnd = 255;

struct DhcpOption {
    uint8_t code = 0;
    std::string_view data;
};

struct DhcpMessage {
    uint8_t operation = 0;
    uint32_t transaction = 0;
    std::string_view client_address;  // ciaddr, 4 octets, as the next three
    std::string_view your_address;
    std::string_view server_address;
    std::string_view gateway_address;
    std::string_view hardware_address;  // as long as hlen says
    std::string_view server_name;       // up to the first zero; empty where options stand instead
    std::string_view file;
    std::vector<DhcpOption> options;  // in order, of the fields above too where they hold some
    bool malformed = false;           // contradicts itself; what was read before that is here

    // The data of the first option of that code; empty when there is none.
    std::string_view option(uint8_t code) const;
    // Of all options of that code, put together (RFC 3396 section 7).
    std::string whole_option(uint8_t code) const;
};

// `cut`: the message went on behind `octets`. What is decoded reaches into `octets`.
DhcpMessage decode_dhcp(std::string_view octets, bool cut);

// The members of one message, into an object that is begun.
void write_dhcp(JsonLine& json, const DhcpMessage& message);

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "collector/json_line.h"

// IGMP, versions 1 to 3 (RFC 1112 appendix I, RFC 2236 section 2, RFC 3376 section 4).

namespace curlew::collector {

struct IgmpRecord {
    uint8_t type = 0;
    std::string_view group;                 // 4 octets
    std::vector<std::string_view> sources;  // 4 octets each
};

struct IgmpMessage {
    uint8_t type = 0;
    std::string_view group;                 // 4 octets; empty in a report of version 3
    std::vector<std::string_view> sources;  // of a query of version 3
    std::vector<IgmpRecord> records;        // of a report of version 3
    bool malformed = false;
};

// `cut`: the message went on behind `octets`. What is decoded reaches into `octets`.
IgmpMessage decode_igmp(std::string_view octets, bool cut);

// The members of one message, into an object that is begun.
void write_igmp(JsonLine& json, const IgmpMessage& message);

}  // namespace curlew::collector

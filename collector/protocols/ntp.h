#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/json_line.h"

// NTP packets (RFC 5905 section 7.3); of control and private messages (modes 6 and 7, RFC 9327)
// only the first octet.

namespace curlew::collector {

struct NtpClock {
    uint8_t stratum = 0;
    int8_t poll = 0;           // log2 s
    int8_t precision = 0;      // log2 s
    std::string reference_id;  // text of a clock or kiss code, else an IPv4 address or the like
};

struct NtpMessage {
    uint8_t leap = 0;
    uint8_t version = 0;
    uint8_t mode = 0;
    std::optional<NtpClock> clock;
    bool malformed = false;
};

// `cut`: the message went on behind `octets`.
NtpMessage decode_ntp(std::string_view octets, bool cut);

// The members of one message, into an object that is begun.
void write_ntp(JsonLine& json, const NtpMessage& message);

}  // namespace curlew::collector

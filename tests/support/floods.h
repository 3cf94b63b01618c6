#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/support/packet_builder.h"

// Attacks on the meter's memory, mixed with flows that deserve it. Addresses say which is which:
// 198.18.0.0/15 is the flood's, the others' are below.

namespace curlew::tests {

enum class Flood : uint8_t {
    syn,                    // forged senders, nobody answers
    syn_answered,           // each SYN has its answer, and the answer sent again
    syn_refused,            // each SYN has its reset
    datagrams,              // flows of one packet with payload
    tiny_fragments,         // first fragments that hold no whole transport header
    overlapping_fragments,  // a first fragment, and another that says otherwise of the same octets
    incomplete_fragments,   // first fragments whose rest never comes
    lone_fragments,         // later fragments without a first one
    count_,
};

const char* name_of(Flood flood);

struct FloodPlan {
    Flood flood = Flood::syn;
    uint32_t flood_flows = 40'960;
    uint32_t long_flows = 41;       // established before the flood, and going on through it
    uint32_t begun_meanwhile = 20;  // begin during the flood, one after another, and go on
    uint32_t new_flows = 400;       // begin in the second after the flood; each has six packets
};

inline constexpr std::string_view kLongClient{"\x0a\x01\x01\x01", 4};
inline constexpr std::string_view kMeanwhileClient{"\x0a\x02\x02\x02", 4};
inline constexpr std::string_view kNewClient{"\x0a\x03\x03\x03", 4};

struct FloodedLine {
    std::vector<Packet> packets;  // in order of time, no two at once
    size_t flood_end = 0;         // packets before this came before the flood's end
};

// The flood lasts ten seconds. Between any ten of its packets is one of another flow.
FloodedLine flooded_line(const FloodPlan& plan);

}  // namespace curlew::tests

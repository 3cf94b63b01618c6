#pragma once

#include "probe/packet_parser.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::tests {

inline probe::ParseResult result_of(const Packet& packet) {
    probe::ParsedPacket parsed;
    return parse_packet(packet.view(), {}, parsed);
}

inline void check_result(const char* expected, const Packet& packet) {
    STRCMP_EQUAL(expected, name_of(result_of(packet)));
}

// Requires: the packet outlives the result.
inline probe::ParsedPacket parse(const Packet& packet, const probe::ParserConfig& config = {}) {
    probe::ParsedPacket parsed;
    STRCMP_EQUAL("metered", name_of(parse_packet(packet.view(), config, parsed)));
    return parsed;
}

}  // namespace curlew::tests

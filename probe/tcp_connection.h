#pragma once

#include "probe/flow.h"
#include "probe/packet_parser.h"

// Which connection of one pair of addresses and ports a TCP packet belongs to: where one ends and
// another begins (RFC 9293 sections 3.5 and 3.6).

namespace curlew::probe {

// Both sides sent FIN, or one a RST.
inline bool is_closed(const FlowHot& hot) noexcept {
    constexpr uint8_t kBothFins = kStateFinLow | kStateFinHigh;
    return (hot.state & kBothFins) == kBothFins || (hot.state & kStateReset) != 0;
}

// Of a SYN or SYN+ACK: with which numbers the sides begin. The other side's is known by what this
// one acknowledges where its own SYN was not seen.
void note_first_numbers(FlowWarm& warm, const ParsedPacket& packet) noexcept;

// The side's last SYN or SYN+ACK had the number that was known before.
inline bool is_begun_again(const FlowWarm& warm, size_t side) noexcept {
    return (warm.streams_begun >> side & 4) != 0;
}

// So much later than its side's first packet a SYN may come and be that connection's.
inline constexpr uint64_t kSynLag = 5'000'000'000;

// kStateGotOnLow where the low endpoint was answered, kStateGotOnHigh where the high one was, both
// where there was payload: from the flow's first packet on. Who acknowledges something was
// answered, whether or not that was seen.
uint8_t states_got_on(const FlowHot& hot) noexcept;

// Whether the packet begins another connection than the flow's. That of a closed flow, or a SYN
// with another number than that side's first, where that one has got on: its end was not seen, as
// on a line that brings one side alone. A SYN that was not answered may be tried again with any
// number. Of a side whose own SYN was not seen, one is no late one from kSynLag on.
bool begins_another(const FlowHot& hot, const FlowWarm& warm, const ParsedPacket& packet) noexcept;

}  // namespace curlew::probe

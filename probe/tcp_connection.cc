// Hot path.
#include "probe/tcp_connection.h"

namespace curlew::probe {

namespace {

bool is_number_known(const FlowWarm& warm, size_t side) noexcept {
    return (warm.streams_begun >> side & 1) != 0;
}

// From its own SYN or SYN+ACK.
bool was_number_sent(const FlowWarm& warm, size_t side) noexcept {
    return warm.beginning[side] != 0 && is_number_known(warm, side);
}

void set_number(FlowWarm& warm, size_t side, uint32_t number) noexcept {
    warm.stream_begin[side] = number;
    warm.streams_begun = static_cast<uint8_t>(warm.streams_begun | 1 << side);
}

}  // namespace

void note_first_numbers(FlowWarm& warm, const ParsedPacket& packet) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    set_number(warm, side, packet.tcp_sequence + 1);
    if ((packet.tcp_flags & kTcpAck) != 0 && !is_number_known(warm, 1 - side)) {
        set_number(warm, 1 - side, packet.tcp_acknowledgement);
    }
}

bool begins_another(const FlowHot& hot, const FlowWarm& warm, const ParsedPacket& packet) noexcept {
    const uint8_t beginning = tcp_beginning(packet.tcp_flags);
    if (beginning == 0) {
        return false;
    }
    const size_t side = packet.from_low ? 0 : 1;
    const bool has_other_number =
        was_number_sent(warm, side) && warm.stream_begin[side] != packet.tcp_sequence + 1;
    if (beginning != kTcpSyn) {
        return is_closed(hot) && has_other_number;
    }
    const bool has_got_on = hot.packets[1 - side] != 0 ||
                            (hot.payload_octets[0] | hot.payload_octets[1]) != 0 ||
                            (hot.state & kStateContinued) != 0;
    return is_closed(hot) || (has_other_number && has_got_on);
}

}  // namespace curlew::probe

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

// Of a SYN: it is not the one with which the side began.
bool has_other_number(const FlowWarm& warm, size_t side, const ParsedPacket& syn) noexcept {
    const bool differs = warm.stream_begin[side] != syn.tcp_sequence + 1;
    if (was_number_sent(warm, side)) {
        return differs;
    }
    const uint64_t first_ns = warm.first_ns[side];
    return (differs || !is_number_known(warm, side)) && first_ns != 0 && syn.time_ns > first_ns &&
           syn.time_ns - first_ns > kSynLag;
}

void set_number(FlowWarm& warm, size_t side, uint32_t number) noexcept {
    warm.stream_begin[side] = number;
    warm.streams_begun = static_cast<uint8_t>(warm.streams_begun | 1 << side);
}

}  // namespace

void note_first_numbers(FlowWarm& warm, const ParsedPacket& packet) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    const bool again =
        is_number_known(warm, side) && warm.stream_begin[side] == packet.tcp_sequence + 1;
    set_number(warm, side, packet.tcp_sequence + 1);
    const int again_bit = 4 << side;
    warm.streams_begun =
        static_cast<uint8_t>((warm.streams_begun & ~again_bit) | (again ? again_bit : 0));
    if ((packet.tcp_flags & kTcpAck) != 0 && !is_number_known(warm, 1 - side)) {
        set_number(warm, 1 - side, packet.tcp_acknowledgement);
    }
}

uint8_t states_got_on(const FlowHot& hot) noexcept {
    const bool has_data = (hot.payload_octets[0] | hot.payload_octets[1]) != 0;
    const auto got_on = [&](size_t side) {
        return has_data || hot.packets[1 - side] != 0 || (hot.tcp_flags[side] & kTcpAck) != 0;
    };
    const int low = got_on(0) ? kStateGotOnLow : 0;
    const int high = got_on(1) ? kStateGotOnHigh : 0;
    return static_cast<uint8_t>((hot.state & (kStateGotOnLow | kStateGotOnHigh)) | low | high);
}

bool begins_another(const FlowHot& hot, const FlowWarm& warm, const ParsedPacket& packet) noexcept {
    const uint8_t beginning = tcp_beginning(packet.tcp_flags);
    if (beginning == 0) {
        return false;
    }
    const size_t side = packet.from_low ? 0 : 1;
    const bool is_other = has_other_number(warm, side, packet);
    if (beginning != kTcpSyn) {
        return is_closed(hot) && is_other;
    }
    const bool has_got_on = (states_got_on(hot) & (kStateGotOnLow << side)) != 0;
    return is_closed(hot) || (is_other && has_got_on);
}

}  // namespace curlew::probe

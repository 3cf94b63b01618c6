// Hot path.
#include "probe/flow_statistics.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace curlew::probe {

namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr uint64_t kMillisecond = 1'000'000;
// How far behind the highest sequence number one can be told from one ahead, with room to spare.
constexpr uint32_t kSequenceReach = uint32_t{1} << 30;
// How far ahead of all that was seen an acknowledgement is believed: more than windows hold.
constexpr uint32_t kFarthestAnswer = uint32_t{1} << 26;
constexpr size_t kTcpNumbersOctets = 16;  // up to and with the window

template <typename Value>
void add_value(Spread<Value>& spread, Value value, size_t bin) noexcept {
    const Wide square = static_cast<Wide>(value) * value;
    const Wide squares =
        (static_cast<Wide>(spread.squares.high) << 64 | spread.squares.low) + square;
    spread.squares = {static_cast<uint64_t>(squares), static_cast<uint64_t>(squares >> 64)};
    spread.sum += value;
    spread.minimum = std::min(spread.minimum, value);
    spread.maximum = std::max(spread.maximum, value);
    ++spread.bins[bin];
}

// Nothing passes: 0 for a packet that is stamped earlier than the one before.
uint64_t elapsed(uint64_t before_ns, uint64_t now_ns) noexcept {
    return now_ns > before_ns ? now_ns - before_ns : 0;
}

// Serial number arithmetic, RFC 1982 section 3.2.
bool is_before(uint32_t a, uint32_t b) noexcept {
    return static_cast<int32_t>(a - b) < 0;
}

// Of the numbers from `begin` to before `end` those that were acknowledged.
uint32_t acknowledged_octets(const SideStatistics& side, uint32_t begin, uint32_t end) noexcept {
    if ((side.sequence_seen & kSeenAnswer) == 0 || !is_before(begin, side.acknowledged)) {
        return 0;
    }
    return std::min(end - begin, side.acknowledged - begin);
}

void remove_hole(SideStatistics& side, size_t index) noexcept {
    std::copy(side.holes.begin() + index + 1,
              side.holes.begin() + side.hole_count,
              side.holes.begin() + index);
    --side.hole_count;
}

void add_hole(SideStatistics& side, uint32_t begin, uint32_t end) noexcept {
    if (side.hole_count == side.holes.size()) {
        side.unseen += acknowledged_octets(side, side.holes[0].begin, side.holes[0].end);
        remove_hole(side, 0);
    }
    side.holes[side.hole_count++] = {begin, end};
}

// Takes a segment's range out of the holes. True when it filled any of them, if only in part.
bool fill_holes(SideStatistics& side, uint32_t begin, uint32_t end) noexcept {
    bool filled = false;
    for (size_t i = 0; i < side.hole_count;) {
        SequenceHole& hole = side.holes[i];
        if (!is_before(begin, hole.end) || !is_before(hole.begin, end)) {
            ++i;
            continue;
        }
        filled = true;
        const bool rest_before = is_before(hole.begin, begin);
        const bool rest_behind = is_before(end, hole.end);
        if (!rest_before && !rest_behind) {
            remove_hole(side, i);
        } else if (rest_before && rest_behind) {
            const uint32_t hole_end = hole.end;
            hole.end = begin;
            add_hole(side, end, hole_end);
            break;  // it lay within this hole, and holes do not overlap
        } else {
            hole = rest_before ? SequenceHole{hole.begin, begin} : SequenceHole{end, hole.end};
            ++i;
        }
    }
    return filled;
}

void restart_sequence(SideStatistics& side, uint32_t begin, uint32_t end, bool is_syn) noexcept {
    side.unseen = unseen_octets(side);
    side.sequence_seen = static_cast<uint8_t>(kSeenSegment | (is_syn ? kSeenSynAlone : 0) |
                                              (side.sequence_seen & kSeenFragment));
    side.hole_count = 0;
    side.lowest = begin;
    side.highest = end;
}

// What the other side says of this one's numbers.
void take_answer(SideStatistics& side, uint32_t acknowledged) noexcept {
    const bool is_new = (side.sequence_seen & kSeenAnswer) == 0;
    const uint32_t farthest =
        is_new && (side.sequence_seen & kSeenSynAlone) != 0 ? 0 : kFarthestAnswer;
    // A number without a segment to measure it by, or one far off, is none.
    if ((side.sequence_seen & kSeenSegment) != 0 &&
        acknowledged - side.lowest <= side.highest - side.lowest + farthest &&
        (is_new || is_before(side.acknowledged, acknowledged))) {
        side.acknowledged = acknowledged;
        side.sequence_seen |= kSeenAnswer;
    }
}

// Ranges that serial arithmetic would soon take for coming ones are forgotten.
void forget_old_sequence(SideStatistics& side) noexcept {
    if (side.highest - side.lowest <= 2 * (kSequenceReach - UINT16_MAX)) {
        return;
    }
    side.lowest = side.highest - kSequenceReach;
    const bool is_answer_old = is_before(side.acknowledged, side.lowest);
    for (size_t i = side.hole_count; i-- > 0;) {
        if (is_before(side.holes[i].begin, side.lowest)) {
            side.unseen += acknowledged_octets(side, side.holes[i].begin, side.holes[i].end);
            remove_hole(side, i);
        }
    }
    if (is_answer_old) {
        side.sequence_seen &= static_cast<uint8_t>(~kSeenAnswer);
    }
}

// Takes what was not seen for seen: it was told.
void forget_unseen(SideStatistics& side) noexcept {
    if ((side.sequence_seen & kSeenAnswer) == 0) {
        return;
    }
    for (size_t i = side.hole_count; i-- > 0;) {
        SequenceHole& hole = side.holes[i];
        if (!is_before(side.acknowledged, hole.end)) {
            remove_hole(side, i);
        } else if (is_before(hole.begin, side.acknowledged)) {
            hole.begin = side.acknowledged;
        }
    }
    if (is_before(side.highest, side.acknowledged)) {
        side.highest = side.acknowledged;
    }
}

// A segment that occupies the sequence numbers from `begin` to before `end`.
void add_segment(SideStatistics& side, uint32_t begin, uint32_t end, bool is_syn) noexcept {
    const bool other_connection = is_syn && begin != side.lowest && begin + 1 != side.lowest;
    // Farther than any window from all that was seen: what lies between cannot be told.
    const bool is_far = begin - (side.highest - kSequenceReach) > 2 * kSequenceReach;
    if ((side.sequence_seen & kSeenSegment) == 0 || other_connection || is_far) {
        restart_sequence(side, begin, end, is_syn);
        return;
    }
    if (!is_before(begin, side.highest)) {
        side.sequence_seen &= static_cast<uint8_t>(~kSeenSynAlone);
        if (begin != side.highest) {
            add_hole(side, side.highest, begin);
        }
        side.highest = end;
        forget_old_sequence(side);
        return;
    }
    bool filled = fill_holes(side, begin, end);
    if (is_before(begin, side.lowest)) {
        filled = true;
        if (is_before(end, side.lowest)) {
            add_hole(side, end, side.lowest);
        }
        side.lowest = begin;
    }
    if (filled) {
        ++side.out_of_order;
    } else if (!is_before(side.highest, end)) {
        ++side.retransmissions;
    }
    if (is_before(side.highest, end)) {
        side.highest = end;
    }
    forget_old_sequence(side);
}

void time_answer(SideStatistics& side, const SideStatistics& other, uint64_t time_ns) noexcept {
    if (time_ns >= other.begun_ns) {
        side.response_ns = time_ns - other.begun_ns;
        side.handshake |= kAnswered;
    }
    side.handshake |= kHandshakeOver;
}

// SYN, SYN+ACK, ACK. Of a SYN or SYN+ACK that was repeated the one before the answer counts.
void time_handshake(SideStatistics& side,
                    SideStatistics* other,
                    const ParsedPacket& packet) noexcept {
    const uint8_t beginning = tcp_beginning(packet.tcp_flags);
    const uint8_t others = other == nullptr ? uint8_t{0} : other->handshake;
    if (beginning == kTcpSyn) {
        if ((others & kSentSynAck) == 0) {
            side.handshake = kSentSyn;
            side.begun_ns = packet.time_ns;
        }
    } else if (beginning == kTcpSynAck) {
        if ((others & kHandshakeOver) == 0) {
            side.begun_ns = packet.time_ns;
        }
        if ((others & kSentSyn) != 0 && (side.handshake & kSentSynAck) == 0) {
            time_answer(side, *other, packet.time_ns);
        }
        side.handshake |= kSentSynAck | kHandshakeOver;
    } else if ((packet.tcp_flags & (kTcpAck | kTcpReset)) == kTcpAck &&
               (side.handshake & kHandshakeOver) == 0) {
        if ((others & kSentSynAck) != 0) {
            time_answer(side, *other, packet.time_ns);
        }
        side.handshake |= kHandshakeOver;
    }
}

// The fixed header up to the window was captured and does not contradict the packet.
bool has_tcp_numbers(const ParsedPacket& packet) noexcept {
    return packet.key.protocol == kProtocolTcp && packet.transport != nullptr &&
           (packet.notes & kNoteTransportMalformed) == 0 &&
           packet.ip + packet.ip_captured_octets - packet.transport >=
               static_cast<ptrdiff_t>(kTcpNumbersOctets);
}

void add_tcp(SideStatistics& side,
             SideStatistics* other,
             const ParsedPacket& packet,
             bool first_record) noexcept {
    const uint8_t flags = packet.tcp_flags;
    if ((flags & kTcpReset) != 0) {
        return;  // occupies no sequence numbers, and its window means nothing
    }
    const bool is_syn = (flags & kTcpSyn) != 0;
    if ((flags & kTcpAck) != 0 && other != nullptr) {
        take_answer(*other, packet.tcp_acknowledgement);
    }
    const uint32_t octets =
        packet.payload_octets + (is_syn ? 1 : 0) + ((flags & kTcpFin) != 0 ? 1 : 0);
    if (octets != 0) {
        add_segment(side, packet.tcp_sequence, packet.tcp_sequence + octets, is_syn);
    }
    if (packet.tcp_window == 0 && !is_syn) {
        ++side.zero_windows;
    }
    if (first_record) {
        time_handshake(side, other, packet);
    }
}

void add_to_run(SideStatistics& side, uint64_t time_ns) noexcept {
    if (side.run != 0 && elapsed(side.last_payload_ns, time_ns) <= kBurstGap) {
        if (side.run < kBurstPackets && ++side.run == kBurstPackets) {
            ++side.bursts;
        }
    } else {
        side.run = 1;
    }
    side.last_payload_ns = std::max(side.last_payload_ns, time_ns);
}

}  // namespace

size_t spread_bin(uint64_t value) noexcept {
    return std::min<size_t>(static_cast<size_t>(std::bit_width(value | 15)) - 4, kSpreadBins - 1);
}

uint64_t unseen_octets(const SideStatistics& side) noexcept {
    uint64_t octets = side.unseen;
    for (size_t i = 0; i < side.hole_count; ++i) {
        octets += acknowledged_octets(side, side.holes[i].begin, side.holes[i].end);
    }
    if ((side.sequence_seen & kSeenAnswer) != 0 && is_before(side.highest, side.acknowledged)) {
        octets += side.acknowledged - side.highest;
    }
    return octets;
}

void begin_statistics(SideStatistics& side) noexcept {
    side.payload.minimum = std::numeric_limits<uint32_t>::max();
    side.frame.minimum = std::numeric_limits<uint32_t>::max();
    side.gap.minimum = std::numeric_limits<uint64_t>::max();
}

void continue_statistics(SideStatistics& side) noexcept {
    const SideStatistics before = side;
    side = {};
    begin_statistics(side);
    if (tells_unseen(before)) {
        side.lowest = before.lowest;
        side.highest = before.highest;
        side.acknowledged = before.acknowledged;
        side.sequence_seen = before.sequence_seen;
        side.hole_count = before.hole_count;
        side.holes = before.holes;
        forget_unseen(side);
    }
}

void add_statistics(SideStatistics& side,
                    SideStatistics* other,
                    const ParsedPacket& packet,
                    bool first_record) noexcept {
    add_value(side.payload, packet.payload_octets, spread_bin(packet.payload_octets));
    add_value(side.frame, packet.frame_octets, spread_bin(packet.frame_octets));
    if (side.packets != 0) {
        // All gaps together stay within the sum, whatever the stamps are; so do their squares.
        const uint64_t gap = std::min(elapsed(side.last_ns, packet.time_ns), ~side.gap.sum);
        add_value(side.gap, gap, spread_bin(gap / kMillisecond));
    }
    side.last_ns = std::max(side.last_ns, packet.time_ns);
    ++side.packets;
    if (packet.payload_octets != 0) {
        add_to_run(side, packet.time_ns);
    }
    if (has_tcp_numbers(packet)) {
        add_tcp(side, other, packet, first_record);
    }
    if ((packet.notes & kNoteFragment) != 0) {
        side.sequence_seen |= kSeenFragment;
    }
}

}  // namespace curlew::probe

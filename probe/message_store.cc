// Hot path.
#include "probe/message_store.h"

namespace curlew::probe {

namespace {

MessageKind hint_of(const FlowWarm& warm) noexcept {
    return static_cast<MessageKind>(warm.message_kind);
}

}  // namespace

bool MessageStore::take_state(FlowHot& hot, FlowWarm& warm) noexcept {
    if (warm.messages != 0) {
        return true;
    }
    const uint32_t block = pool_.take();
    if (block == kNoBlock) {
        ++shortages_;
        hot.quality |= kQualityListCut;
        return false;
    }
    warm.messages = block + 1;
    return true;
}

PieceSink MessageStore::sink(MessageState& state, size_t side, uint8_t packet) noexcept {
    return {&pool_, &state.pieces, &state.smb_fronts, static_cast<uint8_t>(side), packet};
}

void MessageStore::note(const PieceSink& sink, FlowHot& hot) noexcept {
    if (sink.cut) {
        hot.quality |= kQualityListCut;
    }
    shortages_ += sink.shortage ? 1 : 0;
}

bool MessageStore::add(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept {
    if ((packet.notes & kNoteLaterFragment) != 0) {
        return false;  // the middle of a message
    }
    if (packet.key.protocol == kProtocolTcp) {
        return add_segment(packet, hot, warm);
    }
    if ((packet.key.protocol == kProtocolUdp || packet.key.protocol == kProtocolIgmp) &&
        packet.payload_captured_octets != 0) {
        add_datagram(packet, hot, warm);
    }
    return false;
}

void MessageStore::add_datagram(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept {
    const MessageKind kind = datagram_kind(packet, hint_of(warm));
    if (kind == MessageKind::none || !take_state(hot, warm)) {
        return;
    }
    const bool cut = packet.payload_captured_octets < packet.payload_octets ||
                     (packet.notes & kNoteFragment) != 0;
    PieceSink to = sink(state(warm), packet.from_low ? 0 : 1, hot.payload_packets);
    to.put(kind,
           static_cast<uint8_t>(kPieceBegins | kPieceEnds | (cut ? kPieceCut : 0)),
           {packet.payload, packet.payload_captured_octets});
    note(to, hot);
}

// Without a state: whether this payload is worth one. A few octets that may become a front are only
// at the very beginning of a side.
bool MessageStore::begins_stream(const ParsedPacket& packet, const FlowWarm& warm) const noexcept {
    if (packet.payload_captured_octets == 0) {
        return false;
    }
    const MessageKind hint = hint_of(warm);
    const bool first = warm.data_packets[packet.from_low ? 0 : 1] <= 1;
    if (stream_dns_kind(packet.key, hint) != MessageKind::none) {
        return first || hint == MessageKind::dns;
    }
    const StreamFront front = stream_front({packet.payload, packet.payload_captured_octets}, hint);
    return front.match == FrontMatch::yes || (front.match == FrontMatch::maybe && first);
}

bool MessageStore::add_segment(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    if ((warm.streams_off >> side & 1) != 0 || packet.tcp_header_octets == 0) {
        return false;
    }
    if (warm.messages == 0 && (!begins_stream(packet, warm) || !take_state(hot, warm))) {
        return false;
    }
    MessageState& flow = state(warm);
    StreamSide& stream = flow.sides[side];
    SegmentSorter sorter(pool_);
    uint32_t sequence = packet.tcp_sequence;
    if (tcp_beginning(packet.tcp_flags) != 0) {
        ++sequence;  // the SYN has a number of its own
        sorter.begin(stream.queue, sequence);
        stream.queue.torn = stream.kept != 0 ? 1 : 0;
    }
    if (packet.payload_captured_octets == 0) {
        return false;
    }
    const MessageKind hint = hint_of(warm);
    const MessageKind dns = stream_dns_kind(packet.key, hint);
    PieceSink to = sink(flow, side, hot.payload_packets);
    const Segment segment{sequence,
                          {packet.payload, packet.payload_captured_octets},
                          packet.payload_octets,
                          hot.payload_packets};
    sorter.add(stream.queue, segment, [&](const Segment& next, bool gap) {
        to.packet = next.packet;
        cut_stream(stream, next.octets, gap, hint, dns, to);
    });
    note(to, hot);
    if (stream.step == CutStep::off) {
        sorter.release(stream.queue);
        warm.streams_off = static_cast<uint8_t>(warm.streams_off | 1 << side);
    }
    return to.hello;
}

size_t MessageStore::copy_tls(const FlowWarm& warm,
                              bool from_high,
                              std::span<uint8_t> room) const noexcept {
    return copy_message(pool_, state(warm).pieces, MessageKind::tls, from_high, room);
}

void MessageStore::finish(FlowHot& hot, const FlowWarm& warm) noexcept {
    if (warm.messages == 0) {
        return;
    }
    MessageState& flow = state(warm);
    SegmentSorter sorter(pool_);
    for (size_t side = 0; side < flow.sides.size(); ++side) {
        StreamSide& stream = flow.sides[side];
        PieceSink to = sink(flow, side, 0);
        sorter.finish(stream.queue, [&](const Segment& next, bool gap) {
            to.packet = next.packet;
            cut_stream(stream,
                       next.octets,
                       gap,
                       hint_of(warm),
                       stream_dns_kind(hot.key, hint_of(warm)),
                       to);
        });
        note(to, hot);
    }
}

uint32_t MessageStore::octets(const FlowWarm& warm) const noexcept {
    return warm.messages == 0 ? 0 : state(warm).pieces.octets;
}

void MessageStore::end_record(const FlowWarm& warm) noexcept {
    if (warm.messages == 0) {
        return;
    }
    MessageState& flow = state(warm);
    release_pieces(pool_, flow.pieces);
    flow.smb_fronts = 0;
}

void MessageStore::release(FlowWarm& warm) noexcept {
    if (warm.messages == 0) {
        return;
    }
    end_record(warm);
    SegmentSorter sorter(pool_);
    for (StreamSide& side : state(warm).sides) {
        sorter.release(side.queue);
    }
    pool_.give(warm.messages - 1);
    warm.messages = 0;
}

}  // namespace curlew::probe

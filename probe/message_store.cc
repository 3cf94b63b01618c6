// Hot path.
#include "probe/message_store.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "probe/protocols/quic_hello.h"
#include "probe/tcp_connection.h"

namespace curlew::probe {

namespace {

// A ClientHello with post-quantum keys is 2 KiB and comes in two datagrams.
constexpr size_t kQuicOctets = 8 * 1024;
// Of a message that is kept for its names: they stand in front, but for QUIC's, whose parts come in
// any order.
constexpr uint32_t kNamesOctets = 4 * 1024;
constexpr uint32_t kQuicNamesOctets = 2 * kQuicOctets;
constexpr uint32_t kQuicTries = 3;       // of a side that opens no packet
constexpr uint32_t kQuicDatagrams = 16;  // of a side that does

MessageKind hint_of(const FlowWarm& warm) noexcept {
    return static_cast<MessageKind>(warm.message_kind);
}

// What a bare acknowledgement is filled up with to Ethernet's shortest frame, where the IP header
// counts it as well: what is said comes at the same number.
bool is_padding(const ParsedPacket& packet) noexcept {
    constexpr uint32_t kMostOctets = 46 - 20 - 20;
    const std::span payload(packet.payload, packet.payload_captured_octets);
    return packet.tcp_flags == kTcpAck && packet.payload_octets <= kMostOctets &&
           !payload.empty() &&
           std::all_of(payload.begin(), payload.end(), [](uint8_t octet) { return octet == 0; });
}

// Whether a ClientHello ends in these octets, which begin its first record; it may go on in further
// ones (RFC 8446 section 5.1). Of what is no handshake there is nothing to wait for.
bool holds_whole_hello(std::span<const uint8_t> octets) noexcept {
    constexpr size_t kRecordHeaderOctets = 5;
    constexpr size_t kFrontOctetsOfHello = 4;  // type 1 | length 3
    constexpr uint8_t kHandshake = 22;
    std::array<uint8_t, kFrontOctetsOfHello> front{};
    size_t seen = 0;
    while (octets.size() >= kRecordHeaderOctets && octets[0] == kHandshake) {
        const auto record_octets = static_cast<size_t>(octets[3] << 8 | octets[4]);
        octets = octets.subspan(kRecordHeaderOctets);
        const size_t part = std::min(record_octets, octets.size());
        for (size_t i = 0; i < part && seen + i < front.size(); ++i) {
            front[seen + i] = octets[i];
        }
        seen += part;
        const auto hello_octets = static_cast<size_t>(front[1] << 16 | front[2] << 8 | front[3]);
        if (seen >= front.size() && seen - front.size() >= hello_octets) {
            return true;
        }
        octets = octets.subspan(part);
        if (part < record_octets) {
            return false;
        }
    }
    return !octets.empty() && octets[0] != kHandshake;
}

// Of octets that begin a stream: a message that tells names begins there, or may, and is not whole.
bool begins_split_names(std::span<const uint8_t> octets,
                        MessageKind hint,
                        MessageKind dns) noexcept {
    constexpr size_t kRecordHeaderOctets = 5;
    constexpr uint8_t kHandshake = 22;
    constexpr uint8_t kClientHello = 1;
    if (dns != MessageKind::none) {
        return octets.size() < 2 ||
               octets.size() - 2 < static_cast<size_t>(octets[0] << 8 | octets[1]);
    }
    const StreamFront front = stream_front(octets, hint);
    octets = octets.subspan(front.before);
    if (front.kind == MessageKind::http) {
        const std::string_view text(reinterpret_cast<const char*>(octets.data()), octets.size());
        return !text.starts_with("HTTP/") && text.find("\r\n\r\n") == std::string_view::npos;
    }
    if (front.kind == MessageKind::tls && octets.size() > kRecordHeaderOctets) {
        return octets[0] == kHandshake && octets[kRecordHeaderOctets] == kClientHello &&
               !holds_whole_hello(octets);
    }
    return front.kind == MessageKind::tls || front.match == FrontMatch::maybe;
}

// What labels of other flows rest on: answers of DNS that are some (RFC 1035 section 4.1.1), and
// what DHCP's clients say of themselves (RFC 2131 section 2). By the front alone.
bool tells_of_others(MessageKind kind, std::span<const uint8_t> datagram) noexcept {
    constexpr uint8_t kResponse = 0x80;
    constexpr uint8_t kCode = 0x0f;
    constexpr uint8_t kBootRequest = 1;
    if (kind == MessageKind::dns && datagram.size() >= kDnsHeaderOctets) {
        const bool is_answer = (datagram[2] & kResponse) != 0 && (datagram[3] & kCode) == 0;
        return is_answer && (datagram[6] | datagram[7]) != 0;
    }
    return kind == MessageKind::dhcp && datagram.front() == kBootRequest;
}

// A message that tells names began on this side and is not whole.
bool awaits_names(const StreamSide& side) noexcept {
    if (side.step == CutStep::off) {
        return false;
    }
    if (side.queue.held != 0 || side.pending_octets != 0) {
        return true;
    }
    switch (side.kind) {
        case MessageKind::http:
            return side.step == CutStep::head;
        case MessageKind::tls:
            return side.hello_ended == 0;
        case MessageKind::dns:
        case MessageKind::mdns:
        case MessageKind::llmnr:
            return side.step == CutStep::body;
        default:
            return false;
    }
}

}  // namespace

bool MessageStore::take_state(FlowHot& hot, FlowWarm& warm, uint32_t spared) noexcept {
    const bool has_room = spared == 0 || pool_.left() > spared;
    if (warm.messages != 0 && has_room) {
        return true;
    }
    const uint32_t block = has_room ? pool_.take() : kNoBlock;
    if (block == kNoBlock) {
        ++shortages_;
        hot.quality |= kQualityListCut;
        return false;
    }
    warm.messages = block + 1;
    return true;
}

PieceSink MessageStore::sink(MessageState& state,
                             size_t side,
                             const FlowHot& hot,
                             uint64_t time_ns) noexcept {
    PieceSink to{&pool_,
                 &state.pieces,
                 &state.smb_fronts,
                 static_cast<uint8_t>(side),
                 hot.payload_packets,
                 time_ns / 1000};
    if (keeps_ == Keeps::little && state.of_record == 0) {
        to.most_octets = hot.key.protocol == kProtocolTcp ? kNamesOctets : kQuicNamesOctets;
    }
    return to;
}

void MessageStore::note(const PieceSink& sink, FlowHot& hot) noexcept {
    // Behind its bound a message that is kept for its names tells none.
    if (sink.cut && (sink.most_octets == kMaximumMessageOctets || sink.shortage)) {
        hot.quality |= kQualityListCut;
    }
    shortages_ += sink.shortage ? 1 : 0;
}

MessageKind MessageStore::add(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept {
    if ((packet.notes & kNoteLaterFragment) != 0) {
        return MessageKind::none;  // the middle of a message
    }
    if (packet.key.protocol == kProtocolTcp) {
        return add_segment(packet, hot, warm);
    }
    if ((packet.key.protocol == kProtocolUdp || packet.key.protocol == kProtocolIgmp) &&
        packet.payload_captured_octets != 0) {
        return add_datagram(packet, hot, warm);
    }
    return MessageKind::none;
}

MessageKind MessageStore::add_datagram(const ParsedPacket& packet,
                                       FlowHot& hot,
                                       FlowWarm& warm) noexcept {
    const MessageKind hint = hint_of(warm);
    const std::span datagram(packet.payload, packet.payload_captured_octets);
    if (keeps_ == Keeps::little && hint != MessageKind::quic && hint != MessageKind::none &&
        !tells_of_others(hint, datagram)) {
        return MessageKind::none;
    }
    const MessageKind kind = datagram_kind(packet, hint);
    if (kind == MessageKind::quic) {
        return add_quic(packet, hot, warm) ? kind : MessageKind::none;
    }
    // In profile line-rate half of the pool is for names: of a flow of its own they tell more.
    const bool is_kept = keeps_ == Keeps::all
                             ? kind != MessageKind::none
                             : hint != MessageKind::none && tells_of_others(kind, datagram);
    if (!is_kept || !take_state(hot, warm, keeps_ == Keeps::all ? 0 : pool_.size() / 2)) {
        return MessageKind::none;
    }
    state(warm).of_record = 1;
    const bool cut = packet.payload_captured_octets < packet.payload_octets ||
                     (packet.notes & kNoteFragment) != 0;
    PieceSink to = sink(state(warm), packet.from_low ? 0 : 1, hot, packet.time_ns);
    to.put(kind, static_cast<uint8_t>(kPieceBegins | kPieceEnds | (cut ? kPieceCut : 0)), datagram);
    note(to, hot);
    return MessageKind::none;
}

// Of a QUIC client's handshake what its Initial packets hold, out of its cipher, until the first
// message is whole. A side whose packets do not open, as a server's, is left alone after a few.
bool MessageStore::add_quic(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    const auto side_bit = static_cast<uint8_t>(1 << side);
    if ((warm.streams_off & side_bit) != 0 || !take_state(hot, warm)) {
        return false;
    }
    MessageState& flow = state(warm);
    StreamSide& stream = flow.sides[side];
    if (flow.sides[1 - side].kept != 0) {
        return false;  // the client's is open: these are the server's
    }
    ++stream.left;
    std::array<uint8_t, kQuicOctets> message;
    const size_t known_octets =
        copy_message(pool_, flow.pieces, MessageKind::quic, side == 1, 0, message);
    QuicConnection known;
    const bool is_known = find_quic_connection({message.data(), known_octets}, known);
    OpenedQuic opened;
    const bool open = open_quic_initials({packet.payload, packet.payload_captured_octets},
                                         is_known ? &known : nullptr,
                                         quic_cipher_,
                                         opened);
    if (!open || opened.frame_count == 0) {
        if (stream.left >= (stream.kept == 0 ? kQuicTries : kQuicDatagrams)) {
            warm.streams_off |= side_bit;
        }
        return false;
    }
    size_t octets = known_octets;
    const auto append = [&](std::span<const uint8_t> part) {
        if (part.size() <= message.size() - octets) {
            std::memcpy(message.data() + octets, part.data(), part.size());
            octets += part.size();
            return true;
        }
        return false;
    };
    bool room = true;
    if (!is_known || known != opened.connection) {
        std::array<uint8_t, kQuicConnectionOctets> entry;
        room = append({entry.data(), write_quic_connection(opened.connection, entry)});
    }
    for (const CryptoFrame& frame : opened.found()) {
        std::array<uint8_t, kQuicCryptoHeaderOctets> header;
        write_quic_crypto_header(frame, header);
        if (!room || header.size() + frame.octets.size() > message.size() - octets) {
            room = false;
            break;
        }
        append(header);
        append(frame.octets);
    }
    std::array<uint8_t, kQuicOctets> handshake;
    const bool whole = join_quic_handshake({message.data(), octets}, handshake).whole;
    const bool off = whole || !room || stream.left >= kQuicDatagrams;
    const int flags = (known_octets == 0 ? kPieceBegins : 0) | (off ? kPieceEnds : 0) |
                      (off && !whole ? kPieceCut : 0);
    PieceSink to = sink(flow, side, hot, packet.time_ns);
    to.put(MessageKind::quic,
           static_cast<uint8_t>(flags),
           {message.data() + known_octets, octets - known_octets});
    note(to, hot);
    stream.kept = 1;
    if (off) {
        warm.streams_off |= side_bit;
    }
    return true;
}

// Without a state: whether this payload is worth one. A few octets that may become a front are only
// at the very beginning of a side.
bool MessageStore::begins_stream(const ParsedPacket& packet,
                                 const FlowWarm& warm,
                                 bool first) const noexcept {
    if (packet.payload_captured_octets == 0) {
        return false;
    }
    const MessageKind hint = hint_of(warm);
    if (dns_kind(packet.key, hint) != MessageKind::none) {
        return first || hint == MessageKind::dns;
    }
    const StreamFront front = stream_front({packet.payload, packet.payload_captured_octets}, hint);
    return front.match == FrontMatch::yes || (front.match == FrontMatch::maybe && first);
}

// The side's first octets, or those that overtook them, and it is known where they belong.
bool MessageStore::is_first_seen(const ParsedPacket& packet,
                                 const FlowWarm& warm,
                                 bool first) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    return packet.payload_captured_octets != 0 && first && (warm.streams_begun >> side & 1) != 0;
}

// What it is will be told by the segments before it.
bool MessageStore::overtook_first(const ParsedPacket& packet,
                                  const FlowWarm& warm,
                                  bool first) noexcept {
    const auto ahead =
        static_cast<int32_t>(packet.tcp_sequence - warm.stream_begin[packet.from_low ? 0 : 1]);
    return is_first_seen(packet, warm, first) && ahead > 0 && ahead <= kFarSegment &&
           tcp_beginning(packet.tcp_flags) == 0;
}

// Passes over padding: before the side's stream begins, and where its next octets are awaited.
// `first` becomes whether the payload is the first that is none.
bool MessageStore::is_passed_over(const ParsedPacket& packet,
                                  FlowWarm& warm,
                                  bool& first) const noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    const auto padded = static_cast<uint8_t>(4 << side);
    const SegmentQueue* queue = warm.messages == 0 ? nullptr : &state(warm).sides[side].queue;
    const bool begun = queue != nullptr && queue->begun != 0;
    first = warm.data_packets[side] <= 1 || (warm.streams_off & padded) != 0;
    if (is_padding(packet) && (!begun || packet.tcp_sequence == queue->next)) {
        warm.streams_off = static_cast<uint8_t>(warm.streams_off | (first ? padded : 0));
        return true;
    }
    if (packet.payload_captured_octets != 0) {
        warm.streams_off = static_cast<uint8_t>(warm.streams_off & ~padded);
    }
    return false;
}

// Likewise, and that of the profile.
bool MessageStore::is_worth_state(const ParsedPacket& packet,
                                  const FlowWarm& warm,
                                  bool first) const noexcept {
    if (overtook_first(packet, warm, first)) {
        return true;
    }
    return begins_stream(packet, warm, first) &&
           (keeps_ == Keeps::all ||
            begins_split_names({packet.payload, packet.payload_captured_octets},
                               hint_of(warm),
                               dns_kind(packet.key, hint_of(warm))));
}

MessageKind MessageStore::add_segment(const ParsedPacket& packet,
                                      FlowHot& hot,
                                      FlowWarm& warm) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    // What a RST holds is for people (RFC 9293 section 3.5.3).
    if ((warm.streams_off >> side & 1) != 0 || packet.tcp_header_octets == 0 ||
        (packet.tcp_flags & kTcpReset) != 0) {
        return MessageKind::none;
    }
    bool first = false;
    if (is_passed_over(packet, warm, first)) {
        return MessageKind::none;
    }
    if (warm.messages == 0 && (!is_worth_state(packet, warm, first) || !take_state(hot, warm))) {
        return MessageKind::none;
    }
    MessageState& flow = state(warm);
    StreamSide& stream = flow.sides[side];
    const StreamSide& other = flow.sides[1 - side];
    // Of two sides one asks: of the other a message began, not a few octets that may become one.
    if (keeps_ == Keeps::little && probe::awaits_names(other) &&
        (other.step != CutStep::front || other.queue.held != 0)) {
        return MessageKind::none;
    }
    SegmentSorter sorter(pool_);
    uint32_t sequence = packet.tcp_sequence;
    if (tcp_beginning(packet.tcp_flags) != 0) {
        ++sequence;  // the SYN has a number of its own
        // Of one that comes again nothing changes (RFC 5961 section 4).
        if (stream.queue.begun == 0 || !is_begun_again(warm, side)) {
            sorter.begin(stream.queue, sequence);
            stream.queue.torn = stream.step != CutStep::front ? 1 : 0;
        }
    } else if (stream.queue.begun == 0 && is_first_seen(packet, warm, first)) {
        sorter.begin(stream.queue, warm.stream_begin[side]);
    }
    if (packet.payload_captured_octets == 0) {
        return MessageKind::none;
    }
    const MessageKind hint = hint_of(warm);
    const MessageKind dns = dns_kind(packet.key, hint);
    PieceSink to = sink(flow, side, hot, packet.time_ns);
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
    ended_since_ = to.ended_since;
    // Of a hello what is kept may be enough.
    return to.cut && to.joined != MessageKind::tls ? MessageKind::none : to.joined;
}

size_t MessageStore::copy_joined(MessageKind kind,
                                 const FlowWarm& warm,
                                 bool from_high,
                                 std::span<uint8_t> room) const noexcept {
    const MessagePieces& pieces = state(warm).pieces;
    if (kind == MessageKind::quic) {
        std::array<uint8_t, kQuicOctets> message;
        const size_t octets = copy_message(pool_, pieces, kind, from_high, 0, message);
        return join_quic_handshake({message.data(), octets}, room).octets;
    }
    if (kind == MessageKind::tls) {
        return copy_message(pool_, pieces, kind, from_high, 0, room);
    }
    const size_t behind = size_t{ended_since_} + 1;
    const size_t ended = count_ended(pool_, pieces, kind, from_high);
    if (ended < behind) {
        return 0;  // not kept
    }
    if (kind == MessageKind::http) {
        return copy_message(pool_, pieces, kind, from_high, ended - behind, room);
    }
    // DNS behind its length, which is not kept.
    const size_t octets =
        copy_message(pool_, pieces, kind, from_high, ended - behind, room.subspan(2));
    room[0] = static_cast<uint8_t>(octets >> 8);
    room[1] = static_cast<uint8_t>(octets);
    return octets == 0 ? 0 : 2 + octets;
}

void MessageStore::let_go(const FlowHot& hot, FlowWarm& warm) noexcept {
    if (!awaits_names(warm)) {
        return;
    }
    const std::array<StreamSide, 2>& sides = state(warm).sides;
    if (hot.key.protocol != kProtocolTcp) {
        const int client = sides[0].kept != 0 ? 1 : sides[1].kept != 0 ? 2 : 0;
        if (client != 0 && (warm.streams_off & client) != 0) {
            // The server's datagrams need not be opened behind the client's.
            warm.streams_off |= 3;
        }
        if ((warm.streams_off & 3) == 3 || (client == 0 && (warm.streams_off & 3) != 0)) {
            release(warm);
        }
    } else if (!probe::awaits_names(sides[0]) && !probe::awaits_names(sides[1])) {
        release(warm);
    }
}

void MessageStore::finish(FlowHot& hot, const FlowWarm& warm) noexcept {
    if (hot.key.protocol != kProtocolTcp || !has_messages(warm)) {
        return;
    }
    MessageState& flow = state(warm);
    SegmentSorter sorter(pool_);
    for (size_t side = 0; side < flow.sides.size(); ++side) {
        StreamSide& stream = flow.sides[side];
        PieceSink to = sink(flow, side, hot, hot.last_ns);
        sorter.finish(stream.queue, [&](const Segment& next, bool gap) {
            to.packet = next.packet;
            cut_stream(
                stream, next.octets, gap, hint_of(warm), dns_kind(hot.key, hint_of(warm)), to);
        });
        note(to, hot);
    }
}

void MessageStore::end_record(const FlowWarm& warm) noexcept {
    if (!has_messages(warm)) {
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
    release_pieces(pool_, state(warm).pieces);
    SegmentSorter sorter(pool_);
    for (StreamSide& side : state(warm).sides) {
        sorter.release(side.queue);
    }
    pool_.give(warm.messages - 1);
    warm.messages = 0;
}

}  // namespace curlew::probe

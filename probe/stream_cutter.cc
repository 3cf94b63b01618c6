// Hot path.
#include "probe/stream_cutter.h"

#include <algorithm>
#include <cstring>

#include "probe/http2_cutter.h"
#include "probe/http_cutter.h"

namespace curlew::probe {

namespace {

using Octets = std::span<const uint8_t>;

// What stands before the messages of a kind (RFC 1035 section 4.2.2; RFC 1002 section 4.3.1), and
// how much has to be there to believe in it.
struct UnitShape {
    uint32_t prefix_octets;
    uint32_t header_octets;
    uint32_t kept_octets;
};
constexpr UnitShape kDnsShape{2, 2 + 12, 64 * 1024};
constexpr UnitShape kSmbShape{4, 4 + 4, kSmbFrontOctets};

bool is_one_message(MessageKind kind) noexcept {
    return kind == MessageKind::tls || kind == MessageKind::ssh;
}

// Something is missing: what was begun stays as far as it is.
void abandon(StreamSide& side, PieceSink& sink) noexcept {
    side.pending_octets = 0;
    if (side.step == CutStep::off) {
        return;
    }
    if (side.kept != 0 && side.step != CutStep::front) {
        sink.put(side.kind == MessageKind::http2 ? MessageKind::dns : side.kind,
                 kPieceEnds | kPieceCut,
                 {});
    }
    side.step = is_one_message(side.kind) ? CutStep::off : CutStep::front;
    side.kept = 0;
    side.left = 0;
}

void start(StreamSide& side, MessageKind kind) noexcept {
    side.kind = kind;
    side.kept = 0;
    side.left = 0;
    side.pending_octets = 0;
    side.body = 0;
    side.chunked = 0;
    side.hello_ended = 0;
    side.hello_front = 0;
    side.belief = static_cast<uint8_t>(LengthBelief::unknown);
    side.step = kind == MessageKind::http  ? CutStep::head
                : kind == MessageKind::ssh ? CutStep::banner
                                           : CutStep::header;
}

// RFC 8446 section 5.1: type 1 | version 2 | length 2. RFC 5246 appendix E.2: length 2, its highest
// bit set. False when the octets of the header cannot be one.
bool read_record_header(StreamSide& side) noexcept {
    constexpr uint8_t kLowestType = 20;
    constexpr uint8_t kHighestType = 24;
    const auto& header = side.pending;
    if ((header[0] & 0x80) != 0) {
        if (side.pending_octets == 2) {
            side.left = static_cast<uint32_t>((header[0] & 0x7f) << 8 | header[1]);
            side.step = CutStep::body;
            side.pending_octets = 0;
        }
        return true;
    }
    if (side.pending_octets == 5) {
        side.left = static_cast<uint32_t>(header[3] << 8 | header[4]);
        side.step = side.left == 0 ? CutStep::header : CutStep::body;
        side.pending_octets = 0;
        return header[0] >= kLowestType && header[0] <= kHighestType && header[1] == 3;
    }
    return true;
}

// The next octets of a record, of which `left` are still to come. A first message of a handshake
// may go on in the next one (RFC 8446 section 5.1); of all else the record is the end.
void follow_hello(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    constexpr uint8_t kHandshake = 22;
    constexpr uint8_t kFrontOctetsOfHello = 4;
    constexpr uint32_t kClientHello = 1;
    if (side.hello_ended != 0) {
        return;
    }
    bool ended = side.left == 0;
    if (side.pending[0] == kHandshake) {
        size_t at = 0;
        for (; at < octets.size() && side.hello_front < kFrontOctetsOfHello; ++at) {
            side.body = side.body << 8 | octets[at];
            ++side.hello_front;
            if (side.hello_front == 1 && side.body != kClientHello) {
                side.pending[0] = 0;  // no length is followed
                break;
            }
            side.body = side.hello_front == 1 ? 0 : side.body;
        }
        if (side.pending[0] == kHandshake) {
            side.body -= static_cast<uint32_t>(std::min<size_t>(
                side.hello_front < kFrontOctetsOfHello ? 0 : side.body, octets.size() - at));
            ended = side.hello_front == kFrontOctetsOfHello && side.body == 0;
        }
    }
    if (ended && side.kept != 0) {
        sink.joined = MessageKind::tls;
    }
    side.hello_ended = ended ? 1 : 0;
}

void cut_tls(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    constexpr uint8_t kApplicationData = 23;
    size_t at = 0;
    bool ends = false;
    while (at < octets.size() && !ends) {
        if (side.step == CutStep::body) {
            const size_t part = std::min<size_t>(side.left, octets.size() - at);
            side.left -= static_cast<uint32_t>(part);
            follow_hello(side, octets.subspan(at, part), sink);
            at += part;
            if (side.left == 0) {
                side.step = CutStep::header;
            }
        } else if (side.pending_octets == 0 && octets[at] == kApplicationData) {
            ends = true;
        } else {
            side.pending[side.pending_octets++] = octets[at++];
            ends = !read_record_header(side);
        }
    }
    if (!grow(side, octets.first(at), kTlsOctets, ends, sink)) {
        side.step = CutStep::off;
    }
}

// RFC 4253 sections 4.2 and 6: a line, then packets of length 4 | padding length 1 | ..., of which
// the first is SSH_MSG_KEXINIT.
void cut_ssh(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    constexpr uint32_t kLongestPacket = 35'000;
    size_t at = 0;
    bool ends = false;
    while (at < octets.size() && !ends) {
        if (side.step == CutStep::banner) {
            side.step = octets[at++] == '\n' ? CutStep::header : CutStep::banner;
        } else if (side.step == CutStep::header) {
            side.left = side.left << 8 | octets[at++];
            if (++side.pending_octets == 4) {
                side.step = CutStep::body;
                ends = side.left == 0 || side.left > kLongestPacket;
            }
        } else {
            const size_t part = std::min<size_t>(side.left, octets.size() - at);
            at += part;
            side.left -= static_cast<uint32_t>(part);
            ends = side.left == 0;
        }
    }
    if (!grow(side, octets.first(at), kSshOctets, ends, sink)) {
        side.step = CutStep::off;
    }
}

// Whether the header of a unit can be one; tells its length without the prefix.
bool read_unit_header(MessageKind kind, Octets header, uint32_t& length) noexcept {
    if (kind != MessageKind::smb) {
        length = static_cast<uint32_t>(header[0] << 8 | header[1]);
        return length >= 12 && is_dns_header(header.subspan(2));
    }
    length = static_cast<uint32_t>(header[1] << 16 | header[2] << 8 | header[3]);
    return header[0] == 0 && length >= 4 && (header[4] & 0xfc) == 0xfc &&
           std::memcmp(&header[5], "SMB", 3) == 0;
}

Octets cut_unit_header(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    const UnitShape& shape = side.kind == MessageKind::smb ? kSmbShape : kDnsShape;
    const bool whole = side.pending_octets == 0 && octets.size() >= shape.header_octets;
    Octets header = octets.first(std::min<size_t>(octets.size(), shape.header_octets));
    if (!whole) {
        const size_t part =
            std::min<size_t>(octets.size(), shape.header_octets - side.pending_octets);
        std::memcpy(&side.pending[side.pending_octets], octets.data(), part);
        side.pending_octets = static_cast<uint8_t>(side.pending_octets + part);
        octets = octets.subspan(part);
        if (side.pending_octets < shape.header_octets) {
            return octets;
        }
        header = Octets(side.pending).first(shape.header_octets);
        side.pending_octets = 0;
    }
    uint32_t length = 0;
    if (!read_unit_header(side.kind, header, length)) {
        side.step = side.kind == MessageKind::smb ? CutStep::front : CutStep::off;
        return {};
    }
    side.step = CutStep::body;
    side.left = length;
    side.kept = 0;
    // Enciphered and compressed messages (fd, fc) say nothing.
    if (side.kind == MessageKind::smb && (header[4] < 0xfe || *sink.smb_fronts == kSmbFronts)) {
        sink.cut = sink.cut || *sink.smb_fronts == kSmbFronts;
        side.kept = kSmbFrontOctets;
    } else if (side.kind == MessageKind::smb) {
        ++*sink.smb_fronts;
    }
    if (whole) {
        return octets.subspan(shape.prefix_octets);
    }
    const Octets begun = header.subspan(shape.prefix_octets);
    side.left -= static_cast<uint32_t>(begun.size());
    if (side.kept == 0) {
        sink.put(side.kind,
                 static_cast<uint8_t>(kPieceBegins | (side.left == 0 ? kPieceEnds : 0)),
                 begun);
        side.kept = static_cast<uint32_t>(begun.size());
    }
    side.step = side.left == 0 ? CutStep::header : CutStep::body;
    return octets;
}

Octets cut_unit_body(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    const UnitShape& shape = side.kind == MessageKind::smb ? kSmbShape : kDnsShape;
    const size_t part = std::min<size_t>(side.left, octets.size());
    const size_t kept = std::min<size_t>(part, shape.kept_octets - side.kept);
    side.left -= static_cast<uint32_t>(part);
    const bool ends = side.left == 0 || side.kept + kept == shape.kept_octets;
    if (kept != 0) {
        uint8_t flags = side.kept == 0 ? kPieceBegins : 0;
        if (ends) {
            flags |= kept < part || side.left != 0 ? kPieceEnds | kPieceCut : kPieceEnds;
        }
        sink.put(side.kind, flags, octets.first(kept));
    }
    if (side.left == 0 && side.kept != 0 && &shape == &kDnsShape) {
        sink.joined = side.kind;
        sink.ended_since = 0;
    }
    side.kept += static_cast<uint32_t>(kept);
    if (side.left == 0) {
        side.step = CutStep::header;
        side.kept = 0;
    }
    return octets.subspan(part);
}

Octets cut_step(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    if (side.kind == MessageKind::http) {
        return cut_http(side, octets, sink);
    }
    if (side.kind == MessageKind::http2) {
        return cut_http2(side, octets, sink);
    }
    if (side.kind == MessageKind::tls) {
        cut_tls(side, octets, sink);
        return {};
    }
    if (side.kind == MessageKind::ssh) {
        cut_ssh(side, octets, sink);
        return {};
    }
    return side.step == CutStep::header ? cut_unit_header(side, octets, sink)
                                        : cut_unit_body(side, octets, sink);
}

// Of a side that answered over HTTP, what asks stands in a content.
StreamFront front_of(const StreamSide& side, Octets octets, MessageKind hint) noexcept {
    const StreamFront front = stream_front(octets, hint);
    return front.match == FrontMatch::yes && side.answers != 0 && is_of_who_asks(front, octets)
               ? StreamFront{}
               : front;
}

// At a front: begins a message, or waits for more, or passes the segment over.
Octets cut_front(StreamSide& side, Octets octets, MessageKind hint, PieceSink& sink) noexcept {
    if (side.pending_octets != 0) {
        std::array<uint8_t, kFrontOctets> joined = side.pending;
        const size_t before = side.pending_octets;
        const size_t part = std::min(octets.size(), joined.size() - before);
        std::memcpy(&joined[before], octets.data(), part);
        const StreamFront front = front_of(side, Octets(joined).first(before + part), hint);
        if (front.match == FrontMatch::maybe && before + part < joined.size()) {
            side.pending = joined;
            side.pending_octets = static_cast<uint8_t>(before + part);
            return {};
        }
        side.pending_octets = 0;
        if (front.match == FrontMatch::yes) {
            start(side, front.kind);
            const size_t passed = std::min(front.before, before);
            cut_step(side, Octets(joined).first(before).subspan(passed), sink);
            return octets.subspan(front.before - passed);
        }
    }
    const StreamFront front = front_of(side, octets, hint);
    if (front.match == FrontMatch::yes) {
        start(side, front.kind);
        return octets.subspan(front.before);
    }
    if (front.match == FrontMatch::maybe && octets.size() < side.pending.size()) {
        std::memcpy(side.pending.data(), octets.data(), octets.size());
        side.pending_octets = static_cast<uint8_t>(octets.size());
    }
    return {};
}

}  // namespace

void PieceSink::put(MessageKind kind, uint8_t flags, Octets octets) noexcept {
    const StoredPiece piece{
        .kind = kind,
        .flags = static_cast<uint8_t>(flags | (from_high != 0 ? kPieceFromHigh : 0)),
        .packet = packet,
        .unused = 0,
        .octets = 0,
        .time_us = {static_cast<uint16_t>(time_us),
                    static_cast<uint16_t>(time_us >> 16),
                    static_cast<uint16_t>(time_us >> 32)}};
    const PutResult result = put_piece(*pool, *pieces, piece, octets, most_octets);
    const bool ends = result == PutResult::kept && (flags & kPieceEnds) != 0;
    ended_since = static_cast<uint16_t>(ended_since + (ends ? 1 : 0));
    cut = cut || result != PutResult::kept;
    shortage = shortage || result == PutResult::no_block;
}

bool grow(StreamSide& side, Octets octets, uint32_t bound, bool ends, PieceSink& sink) noexcept {
    const size_t kept = std::min<size_t>(octets.size(), bound - side.kept);
    const bool over = kept < octets.size();
    uint8_t flags = side.kept == 0 ? kPieceBegins : 0;
    if (ends || over) {
        flags |= kPieceEnds;
    }
    if (over) {
        flags |= kPieceCut;
        sink.cut = true;
    }
    if (kept != 0 || (side.kept != 0 && (ends || over))) {
        sink.put(side.kind, flags, octets.first(kept));
    }
    side.kept += static_cast<uint32_t>(kept);
    return !ends && !over;
}

void cut_stream(StreamSide& side,
                Octets octets,
                bool gap,
                MessageKind hint,
                MessageKind dns,
                PieceSink& sink) noexcept {
    if (gap) {
        abandon(side, sink);
    }
    if (side.kind == MessageKind::http) {
        meet_segment(side, octets);
    }
    while (!octets.empty() && side.step != CutStep::off) {
        if (side.step != CutStep::front) {
            octets = cut_step(side, octets, sink);
        } else if (dns != MessageKind::none) {
            start(side, dns);
        } else {
            octets = cut_front(side, octets, hint, sink);
        }
    }
}

}  // namespace curlew::probe

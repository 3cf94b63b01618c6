// Hot path.
#include "probe/http2_cutter.h"

#include <algorithm>
#include <cstring>

namespace curlew::probe {

namespace {

using Octets = std::span<const uint8_t>;

constexpr uint8_t kFrameHeaderOctets = 9;
constexpr uint8_t kDnsFrontOctets = 12;
static_assert(kFrameHeaderOctets <= kFrontOctets && kDnsFrontOctets <= kFrontOctets);

// Adds to what is pending until that many octets are there; returns what follows.
Octets collect(StreamSide& side, Octets octets, uint8_t wanted) noexcept {
    const size_t part = std::min<size_t>(octets.size(), wanted - side.pending_octets);
    std::memcpy(&side.pending[side.pending_octets], octets.data(), part);
    side.pending_octets = static_cast<uint8_t>(side.pending_octets + part);
    return octets.subspan(part);
}

// RFC 9113 section 4.1: length 3 | type 1 | flags 1 | stream 4. A type that nobody has defined is
// no HTTP/2. The client's preface begins with a request line (section 3.4).
void read_frame_header(StreamSide& side) noexcept {
    constexpr uint32_t kPrefaceOctets = 24;
    constexpr uint8_t kHighestType = 0x1f;
    constexpr uint8_t kPadded = 8;
    constexpr uint32_t kLeastDnsOctets = kDnsFrontOctets + 5;  // a question for the root
    constexpr uint32_t kMostDnsOctets = 0xffff;
    const auto& header = side.pending;
    side.pending_octets = 0;
    if (std::memcmp(header.data(), "PRI", 3) == 0) {
        side.left = kPrefaceOctets - kFrameHeaderOctets;
        side.step = CutStep::banner;
        return;
    }
    side.left = static_cast<uint32_t>(header[0] << 16 | header[1] << 8 | header[2]);
    if (header[3] > kHighestType) {
        side.step = CutStep::off;
    } else if (header[3] == 0 && (header[4] & kPadded) == 0 && side.left >= kLeastDnsOctets &&
               side.left <= kMostDnsOctets) {
        side.step = CutStep::opening;
    } else {
        side.step = side.left == 0 ? CutStep::header : CutStep::body;
    }
}

// RFC 1035 section 4.1.1: a query or its answer, with one question.
bool is_dns_message(Octets header) noexcept {
    return is_dns_header(header) && (header[2] & 0x78) == 0 && header[4] == 0 && header[5] == 1;
}

void read_opening(StreamSide& side, PieceSink& sink) noexcept {
    const Octets opening = Octets(side.pending).first(kDnsFrontOctets);
    side.pending_octets = 0;
    side.left -= kDnsFrontOctets;
    side.step = CutStep::body;
    if (is_dns_message(opening)) {
        sink.put(MessageKind::dns, kPieceBegins, opening);
        side.kept = kDnsFrontOctets;
    }
}

Octets cut_frame(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    const size_t part = std::min<size_t>(side.left, octets.size());
    side.left -= static_cast<uint32_t>(part);
    if (side.kept != 0) {
        sink.put(MessageKind::dns, side.left == 0 ? kPieceEnds : 0, octets.first(part));
        side.kept += static_cast<uint32_t>(part);
    }
    if (side.left == 0) {
        side.step = CutStep::header;
        side.kept = 0;
    }
    return octets.subspan(part);
}

}  // namespace

Octets cut_http2(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    if (side.step == CutStep::header) {
        octets = collect(side, octets, kFrameHeaderOctets);
        if (side.pending_octets == kFrameHeaderOctets) {
            read_frame_header(side);
        }
        return octets;
    }
    if (side.step == CutStep::opening) {
        octets = collect(side, octets, kDnsFrontOctets);
        if (side.pending_octets == kDnsFrontOctets) {
            read_opening(side, sink);
        }
        return octets;
    }
    return cut_frame(side, octets, sink);
}

}  // namespace curlew::probe

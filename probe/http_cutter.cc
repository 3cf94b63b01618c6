// Hot path.
#include "probe/http_cutter.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

namespace curlew::probe {

namespace {

using Octets = std::span<const uint8_t>;

constexpr uint8_t kSizeDigits = 8;
constexpr uint8_t kPastSize = kSizeDigits + 1;

// More than can be counted.
constexpr uint32_t kNoLength = std::numeric_limits<uint32_t>::max();

bool begins_message(const StreamSide& side, Octets octets) noexcept {
    const StreamFront front = stream_front(octets, MessageKind::none);
    return front.match == FrontMatch::yes && (side.answers == 0 || !is_of_who_asks(front, octets));
}

bool is_in_body(const StreamSide& side) noexcept {
    return side.step == CutStep::body || side.step == CutStep::chunk ||
           side.step == CutStep::trailer;
}

bool is_believed(const StreamSide& side) noexcept {
    return side.belief == static_cast<uint8_t>(LengthBelief::yes) &&
           (side.chunked != 0 || side.body != kNoLength);
}

void end_body(StreamSide& side) noexcept {
    side.step = CutStep::front;
    side.pending_octets = 0;
    side.left = 0;
}

// Of several values the last one counts, also of those in a list.
void note_length(StreamSide& side, Octets value) noexcept {
    for (const uint8_t octet : value) {
        if (octet >= '0' && octet <= '9') {
            side.body = static_cast<uint32_t>(
                std::min(uint64_t{side.body} * 10 + octet - '0', uint64_t{kNoLength}));
        } else if (octet != ' ' && octet != '\t') {
            side.body = 0;
        }
    }
}

// RFC 9112 section 6.3: what has no body by its status, 1xx, 204 or 304. `known` octets of the line
// are there.
void note_status(StreamSide& side, size_t known) noexcept {
    constexpr std::string_view kVersion = "http/1.";
    constexpr size_t kStatusAt = kVersion.size() + 2;  // a digit and a space between
    if (known < kStatusAt + 3 || side.belief == static_cast<uint8_t>(LengthBelief::yes) ||
        std::memcmp(side.pending.data(), kVersion.data(), kVersion.size()) != 0) {
        return;
    }
    side.answers = 1;
    const auto* status = reinterpret_cast<const char*>(side.pending.data()) + kStatusAt;
    const std::string_view code(status, 3);
    if (code[0] == '1' || code == "204" || code == "304") {
        side.belief = static_cast<uint8_t>(LengthBelief::empty);
    }
}

// RFC 9112 section 6: the fields that tell a body's length, and whether it is to be believed (RFC
// 9110 section 10.1.1: who expects to be told to go on may not send a body). `part` is the next of
// this line.
void note_field(StreamSide& side, Octets part) noexcept {
    constexpr std::string_view kAnswer = "http/";
    constexpr std::string_view kExpect = "expect:";
    constexpr std::string_view kLength = "content-length:";
    constexpr std::string_view kCoding = "transfer-encodin";  // as much as is kept of a line
    static_assert(kCoding.size() <= kFrontOctets && kLength.size() <= kFrontOctets);
    for (size_t i = 0; i < part.size() && side.left + i < side.pending.size(); ++i) {
        const uint8_t octet = part[i];
        side.pending[side.left + i] = octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
    }
    const size_t known = side.left + part.size();
    note_status(side, known);
    const auto begins_with = [&](std::string_view name) {
        return known >= name.size() &&
               std::memcmp(side.pending.data(), name.data(), name.size()) == 0;
    };
    if (side.belief == static_cast<uint8_t>(LengthBelief::unknown) && known >= kAnswer.size()) {
        side.belief =
            static_cast<uint8_t>(begins_with(kAnswer) ? LengthBelief::no : LengthBelief::yes);
    }
    if (begins_with(kExpect)) {
        side.belief = static_cast<uint8_t>(LengthBelief::no);
    }
    if (begins_with(kCoding)) {
        side.chunked = 1;
    }
    if (begins_with(kLength)) {
        if (side.left < kLength.size()) {
            part = part.subspan(kLength.size() - side.left);
            side.body = 0;
        }
        note_length(side, part);
    }
}

// RFC 9112 section 2.1: a head ends with an empty line. A line feed alone is taken for a line's
// end, as section 2.2 allows. Returns what follows the head.
Octets cut_head(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    size_t at = 0;
    bool ended = false;
    while (at < octets.size() && !ended) {
        const void* found = std::memchr(octets.data() + at, '\n', octets.size() - at);
        const size_t end =
            found == nullptr
                ? octets.size()
                : static_cast<size_t>(static_cast<const uint8_t*>(found) - octets.data());
        size_t line = end - at;
        if (line != 0 && octets[end - 1] == '\r') {
            --line;
        }
        note_field(side, octets.subspan(at, line));
        side.left += static_cast<uint32_t>(line);
        at = end;
        if (found != nullptr) {
            ++at;
            ended = side.left == 0;
            side.left = 0;
        }
    }
    const uint32_t kept_before = side.kept;
    if (grow(side, octets.first(at), kHttpHeadOctets, ended, sink)) {
        return {};
    }
    const bool whole = ended && side.kept - kept_before == at;
    if (whole && kept_before != 0) {
        sink.joined = MessageKind::http;
        sink.ended_since = 0;
    }
    const Octets rest = whole ? octets.subspan(at) : Octets{};
    side.kept = 0;
    end_body(side);
    // Behind a head that was cut comes its rest.
    const bool has_body = side.belief != static_cast<uint8_t>(LengthBelief::empty);
    if (whole && has_body && (is_believed(side) || !begins_message(side, rest))) {
        side.left = side.chunked != 0 ? 0 : side.body;
        side.step = side.chunked != 0 ? CutStep::chunk
                    : side.left != 0  ? CutStep::body
                                      : CutStep::front;
    }
    return rest;
}

// A hexadecimal digit's value; 16 for what is none.
uint32_t digit_of(uint8_t octet) noexcept {
    if (octet >= '0' && octet <= '9') {
        return octet - uint32_t{'0'};
    }
    const uint8_t letter = octet | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - uint32_t{'a'} + 10 : 16;
}

// RFC 9112 section 7.1: size in hexadecimal [ ; extension ] CRLF. Before it stands the end of the
// chunk before. What is no size ends the body.
Octets cut_chunk_line(StreamSide& side, Octets octets) noexcept {
    for (size_t at = 0; at < octets.size(); ++at) {
        const uint8_t octet = octets[at];
        const uint32_t digit = digit_of(octet);
        if (octet == '\n' && side.pending_octets != 0) {
            side.pending_octets = 0;
            side.step = side.left == 0 ? CutStep::trailer : CutStep::body;
            return octets.subspan(at + 1);
        }
        if (octet == '\n' || octet == '\r' || side.pending_octets == kPastSize) {
            continue;
        }
        if (digit < 16 && side.pending_octets < kSizeDigits) {
            side.left = side.left << 4 | digit;
            ++side.pending_octets;
        } else if (side.pending_octets != 0 && (octet == ';' || octet == ' ' || octet == '\t')) {
            side.pending_octets = kPastSize;
        } else {
            end_body(side);
            return {};
        }
    }
    return {};
}

// Section 7.1.2: lines up to an empty one.
Octets cut_trailer(StreamSide& side, Octets octets) noexcept {
    for (size_t at = 0; at < octets.size(); ++at) {
        if (octets[at] == '\n' && side.left == 0) {
            end_body(side);
            return octets.subspan(at + 1);
        }
        if (octets[at] == '\n') {
            side.left = 0;
        } else if (octets[at] != '\r') {
            side.left = 1;
        }
    }
    return {};
}

Octets cut_body(StreamSide& side, Octets octets) noexcept {
    const size_t part = std::min<size_t>(side.left, octets.size());
    side.left -= static_cast<uint32_t>(part);
    if (side.left == 0) {
        side.step = side.chunked != 0 ? CutStep::chunk : CutStep::front;
    }
    return octets.subspan(part);
}

}  // namespace

void meet_segment(StreamSide& side, Octets octets) noexcept {
    if (is_in_body(side) && !is_believed(side) && begins_message(side, octets)) {
        end_body(side);
    }
}

Octets cut_http(StreamSide& side, Octets octets, PieceSink& sink) noexcept {
    switch (side.step) {
        case CutStep::chunk:
            return cut_chunk_line(side, octets);
        case CutStep::trailer:
            return cut_trailer(side, octets);
        case CutStep::body:
            return cut_body(side, octets);
        default:
            return cut_head(side, octets, sink);
    }
}

}  // namespace curlew::probe

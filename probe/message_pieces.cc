// Hot path.
#include "probe/message_pieces.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace curlew::probe {

PutResult put_piece(ChainPool& pool,
                    MessagePieces& pieces,
                    StoredPiece piece,
                    std::span<const uint8_t> octets,
                    uint32_t most_octets) noexcept {
    if (pieces.full != 0) {
        return PutResult::over_bound;
    }
    const bool begins = (piece.flags & kPieceBegins) != 0;
    if (octets.size() + sizeof(piece) + pieces.octets > most_octets ||
        (begins && pieces.messages == kMaximumMessages)) {
        pieces.full = 1;
        return PutResult::over_bound;
    }
    piece.octets = static_cast<uint16_t>(octets.size());
    const std::span<const uint8_t> header(reinterpret_cast<const uint8_t*>(&piece), sizeof(piece));
    // Room for both, or for neither.
    constexpr size_t kRoom = sizeof(ChainBlock::octets);
    if ((header.size() + octets.size()) / kRoom + 1 > pool.left()) {
        pieces.full = 1;
        return PutResult::no_block;
    }
    const bool kept = append_to_chain(pool, pieces.head, pieces.tail, header) &&
                      append_to_chain(pool, pieces.head, pieces.tail, octets);
    assert(kept);
    pieces.octets += static_cast<uint32_t>(header.size() + octets.size());
    pieces.messages = static_cast<uint16_t>(pieces.messages + (begins ? 1 : 0));
    return PutResult::kept;
}

namespace {

// Calls `begin(const StoredPiece&)` for each piece of that kind and side, then `octets(part)` for
// what it holds, then `end(const StoredPiece&)`.
template <typename Begin, typename Part, typename End>
void visit_pieces(const ChainPool& pool,
                  const MessagePieces& pieces,
                  MessageKind kind,
                  bool from_high,
                  Begin&& begin,
                  Part&& octets,
                  End&& end) noexcept {
    StoredPiece piece{};
    size_t header = 0;  // octets of it that were read
    size_t left = 0;    // octets of the piece that were not
    bool wanted = false;
    visit_chain(pool, pieces.head, [&](std::span<const uint8_t> part) {
        while (!part.empty()) {
            const bool in_header = left == 0;
            const size_t count = std::min(in_header ? sizeof(piece) - header : left, part.size());
            if (in_header) {
                std::memcpy(reinterpret_cast<uint8_t*>(&piece) + header, part.data(), count);
                header = (header + count) % sizeof(piece);
                left = header == 0 ? piece.octets : 0;
                wanted = header == 0 && piece.kind == kind &&
                         ((piece.flags & kPieceFromHigh) != 0) == from_high;
                if (wanted) {
                    begin(piece);
                }
            } else {
                left -= count;
                if (wanted) {
                    octets(part.first(count));
                }
            }
            if (wanted && left == 0) {
                end(piece);
                wanted = false;
            }
            part = part.subspan(count);
        }
    });
}

}  // namespace

size_t count_ended(const ChainPool& pool,
                   const MessagePieces& pieces,
                   MessageKind kind,
                   bool from_high) noexcept {
    size_t ended = 0;
    visit_pieces(
        pool,
        pieces,
        kind,
        from_high,
        [](const StoredPiece&) {},
        [](std::span<const uint8_t>) {},
        [&](const StoredPiece& piece) { ended += (piece.flags & kPieceEnds) != 0 ? 1 : 0; });
    return ended;
}

size_t copy_message(const ChainPool& pool,
                    const MessagePieces& pieces,
                    MessageKind kind,
                    bool from_high,
                    size_t number,
                    std::span<uint8_t> room) noexcept {
    size_t ended = 0;
    size_t copied = 0;
    bool has_begun = false;
    visit_pieces(
        pool,
        pieces,
        kind,
        from_high,
        [&](const StoredPiece& piece) {
            has_begun = has_begun || (ended == number && (piece.flags & kPieceBegins) != 0);
        },
        [&](std::span<const uint8_t> part) {
            if (has_begun && ended == number) {
                const size_t kept = std::min(part.size(), room.size() - copied);
                std::memcpy(room.data() + copied, part.data(), kept);
                copied += kept;
            }
        },
        [&](const StoredPiece& piece) { ended += (piece.flags & kPieceEnds) != 0 ? 1 : 0; });
    return copied;
}

void release_pieces(ChainPool& pool, MessagePieces& pieces) noexcept {
    release_chain(pool, pieces.head);
    pieces = {};
}

}  // namespace curlew::probe

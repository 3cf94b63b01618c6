// Hot path.
#include "probe/message_pieces.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace curlew::probe {

PutResult put_piece(ChainPool& pool,
                    MessagePieces& pieces,
                    StoredPiece piece,
                    std::span<const uint8_t> octets) noexcept {
    if (pieces.full != 0) {
        return PutResult::over_bound;
    }
    const bool begins = (piece.flags & kPieceBegins) != 0;
    if (octets.size() + sizeof(piece) > kMaximumMessageOctets - pieces.octets ||
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

size_t copy_message(const ChainPool& pool,
                    const MessagePieces& pieces,
                    MessageKind kind,
                    bool from_high,
                    std::span<uint8_t> room) noexcept {
    StoredPiece piece{};
    size_t header = 0;  // octets of it that were read
    size_t left = 0;    // octets of the piece that were not
    size_t copied = 0;
    bool wanted = false;
    const auto read = [&](std::span<const uint8_t> part) {
        while (!part.empty()) {
            if (left == 0) {
                const size_t count = std::min(sizeof(piece) - header, part.size());
                std::memcpy(reinterpret_cast<uint8_t*>(&piece) + header, part.data(), count);
                part = part.subspan(count);
                header = (header + count) % sizeof(piece);
                left = header == 0 ? piece.octets : 0;
                wanted = piece.kind == kind && ((piece.flags & kPieceFromHigh) != 0) == from_high;
                if (header == 0 && wanted && (piece.flags & kPieceBegins) != 0) {
                    copied = 0;
                }
                continue;
            }
            const size_t count = std::min(left, part.size());
            if (wanted) {
                const size_t kept = std::min(count, room.size() - copied);
                std::memcpy(room.data() + copied, part.data(), kept);
                copied += kept;
            }
            part = part.subspan(count);
            left -= count;
        }
    };
    visit_chain(pool, pieces.head, read);
    return copied;
}

void release_pieces(ChainPool& pool, MessagePieces& pieces) noexcept {
    release_chain(pool, pieces.head);
    pieces = {};
}

}  // namespace curlew::probe

#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "probe/block_chain.h"
#include "proto/body_limits.h"

// What a record keeps of the messages of recognised protocols, for the collector to decode: pieces
// in the order they came. A message that comes in several segments has several pieces, and pieces
// of both directions may alternate; the reader joins them (flow_summary.cc).

namespace curlew::probe {

// Values of proto MessageProtocol, but for the last one.
enum class MessageKind : uint8_t {
    none = 0,
    dns = 1,
    mdns = 2,
    llmnr = 3,
    ssdp = 4,
    http = 5,
    dhcp = 6,
    ntp = 7,
    igmp = 8,
    tls = 9,
    ssh = 10,
    smb = 11,
    quic = 12,
    dtls = 15,
    http2 = 255,  // what a stream speaks, of which DNS is kept; never of a piece
};

// Bounds of one record: octets with the pieces' headers, and messages.
inline constexpr uint32_t kMaximumMessageOctets = proto::kMaximumMessageOctets;
inline constexpr uint16_t kMaximumMessages = proto::kMaximumMessages;

// Bits of StoredPiece::flags.
inline constexpr uint8_t kPieceFromHigh = 1;
inline constexpr uint8_t kPieceBegins = 2;  // without it: goes on with this side's last message
inline constexpr uint8_t kPieceEnds = 4;    // a message whose end is missing was cut
inline constexpr uint8_t kPieceCut = 8;     // the message goes on, and is not kept any further

// A piece's header in the chain, followed by its octets.
struct StoredPiece {
    MessageKind kind;
    uint8_t flags;
    uint8_t packet;  // ordinal among the flow's payload packets
    uint8_t unused;
    uint16_t octets;
    std::array<uint16_t, 3> time_us;  // its packet's, from the lowest bits on, see offset_us_of()
};
static_assert(sizeof(StoredPiece) == 12);

// Microseconds from the record's start: no record lasts as long as the bits of a time do, 8 years.
inline uint64_t offset_us_of(const StoredPiece& piece, uint64_t start_us) noexcept {
    constexpr uint64_t kKept = (uint64_t{1} << 48) - 1;
    const uint64_t time_us =
        piece.time_us[0] | uint64_t{piece.time_us[1]} << 16 | uint64_t{piece.time_us[2]} << 32;
    return (time_us - start_us) & kKept;
}

// The chain of one record. Zero: nothing kept.
struct MessagePieces {
    uint32_t head;
    uint32_t tail;
    uint32_t octets;  // in the chain
    uint16_t messages;
    uint8_t full;  // a bound was reached or the pool empty: nothing more in this record
    uint8_t unused;
};
static_assert(sizeof(MessagePieces) == 16);

enum class PutResult : uint8_t { kept, over_bound, no_block };

// Appends one piece. Once something was refused, everything is, until the chain is released: what
// follows a hole would be taken for its continuation.
PutResult put_piece(ChainPool& pool,
                    MessagePieces& pieces,
                    StoredPiece piece,
                    std::span<const uint8_t> octets,
                    uint32_t most_octets = kMaximumMessageOctets) noexcept;

// Messages of that kind and side that have ended.
size_t count_ended(const ChainPool& pool,
                   const MessagePieces& pieces,
                   MessageKind kind,
                   bool from_high) noexcept;

// Copies the message of that kind and side before which `number` have ended, as far as there is
// room. Returns its octets there; none of one whose beginning is not kept.
size_t copy_message(const ChainPool& pool,
                    const MessagePieces& pieces,
                    MessageKind kind,
                    bool from_high,
                    size_t number,
                    std::span<uint8_t> room) noexcept;

// Ready for the next record.
void release_pieces(ChainPool& pool, MessagePieces& pieces) noexcept;

}  // namespace curlew::probe

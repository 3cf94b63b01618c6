#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/message_fronts.h"
#include "probe/message_pieces.h"
#include "probe/segment_sorter.h"

// Cuts one direction of a TCP connection, whose octets come in order, into messages:
//
//   HTTP/1   each head, up to its empty line; bodies are passed over by what heads say of their
//            length, and any segment may begin with a head
//   HTTP/2   DNS messages in frames of data
//   DNS      each message, without the length before it
//   SMB      the front of each message
//   TLS      one message: the stream up to the first record of application data
//   SSH      one message: the stream up to the end of the first packet behind the banner
//
// What is longer than its bound is cut there.

namespace curlew::probe {

inline constexpr uint32_t kHttpHeadOctets = 8 * 1024;
inline constexpr uint32_t kTlsOctets = 16 * 1024;
inline constexpr uint32_t kSshOctets = 4 * 1024;
inline constexpr uint32_t kSmbFrontOctets = 256;
inline constexpr uint8_t kSmbFronts = 32;  // in one record

enum class CutStep : uint8_t {
    front,    // a segment may begin a message
    head,     // inside a head of HTTP
    chunk,    // inside the line before a chunk of a body of HTTP
    trailer,  // behind the last chunk
    banner,   // inside what stands once before the packets of SSH, the frames of HTTP/2
    header,   // of a record, message, frame or packet with a length
    opening,  // inside the octets of a frame that tell whether it is a message
    body,     // `left` octets of it are to come
    off,      // nothing more is kept of this direction
};

// Whether what a head of HTTP says of its body's length is believed more than what looks like
// another head within.
enum class LengthBelief : uint8_t {
    unknown,  // the head has just begun
    yes,      // a request
    no,       // an answer, which may be to HEAD; a request that waits to be asked for its body
    empty,    // an answer that has no body, whatever its head says of one
};

// Where a direction stands. Zero: at a front.
struct StreamSide {
    SegmentQueue queue;
    uint32_t left;  // octets to come of the body; HTTP: octets in this line but for a last CR
    uint32_t kept;  // octets kept of the message
    MessageKind kind;
    CutStep step;
    uint8_t pending_octets;
    uint8_t hello_ended;  // TLS: the first handshake message is whole
    // Too few to tell what they are; HTTP: in small letters, how this line begins.
    std::array<uint8_t, kFrontOctets> pending;
    uint32_t body;    // HTTP: what Content-Length says; TLS: as far as it is known, see hello_front
    uint8_t chunked;  // HTTP: the body tells its length itself
    uint8_t hello_front;  // TLS: octets seen of its type and length; behind them `body` are to come
    uint8_t belief;       // HTTP: a value of LengthBelief
    uint8_t answers;      // it answered over HTTP: it asks nobody, whatever its contents look like
};
static_assert(sizeof(StreamSide) == 52);

// Where the pieces of one packet go.
struct PieceSink {
    ChainPool* pool;
    MessagePieces* pieces;
    uint8_t* smb_fronts;  // kept in this record
    uint8_t from_high;
    uint8_t packet;
    uint64_t time_us = 0;  // of the packet
    uint32_t most_octets = kMaximumMessageOctets;
    bool cut = false;       // a bound was reached
    bool shortage = false;  // the pool was empty
    // Of what began in an earlier segment and is whole now: a ClientHello, a head of HTTP,
    // a DNS message. Of several the last one, behind which so many ended since.
    MessageKind joined = MessageKind::none;
    uint16_t ended_since = 0;

    void put(MessageKind kind, uint8_t flags, std::span<const uint8_t> octets) noexcept;
};

// Puts octets of the message that grows up to a bound; false when that ends it.
bool grow(StreamSide& side,
          std::span<const uint8_t> octets,
          uint32_t bound,
          bool ends,
          PieceSink& sink) noexcept;

// The next octets of a direction; `gap`: some before them are missing. `hint`: what signatures say
// of the flow; `dns`: dns_kind() of it.
void cut_stream(StreamSide& side,
                std::span<const uint8_t> octets,
                bool gap,
                MessageKind hint,
                MessageKind dns,
                PieceSink& sink) noexcept;

}  // namespace curlew::probe

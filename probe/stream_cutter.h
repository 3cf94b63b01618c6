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
//   HTTP/1   each head, up to its empty line; bodies are passed over, and a head that follows one
//   is
//            seen where a segment begins with it
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
    front,   // a segment may begin a message
    head,    // inside a head of HTTP
    banner,  // inside a line before the packets of SSH
    header,  // of a record, message or packet with a length
    body,    // `left` octets of it are to come
    off,     // nothing more is kept of this direction
};

// Where a direction stands. Zero: at a front.
struct StreamSide {
    SegmentQueue queue;
    uint32_t left;  // octets to come of the body; HTTP: octets in this line but for a last CR
    uint32_t kept;  // octets kept of the message
    MessageKind kind;
    CutStep step;
    uint8_t pending_octets;
    uint8_t hello_ended;                        // TLS: the first record is whole
    std::array<uint8_t, kFrontOctets> pending;  // too few to tell what they are
};
static_assert(sizeof(StreamSide) == 40);

// Where the pieces of one packet go.
struct PieceSink {
    ChainPool* pool;
    MessagePieces* pieces;
    uint8_t* smb_fronts;  // kept in this record
    uint8_t from_high;
    uint8_t packet;
    bool cut = false;       // a bound was reached
    bool shortage = false;  // the pool was empty
    bool hello = false;     // a first record of TLS that began in an earlier segment is whole

    void put(MessageKind kind, uint8_t flags, std::span<const uint8_t> octets) noexcept;
};

// The next octets of a direction; `gap`: some before them are missing. `hint`: what signatures say
// of the flow; `dns`: stream_dns_kind() of it.
void cut_stream(StreamSide& side,
                std::span<const uint8_t> octets,
                bool gap,
                MessageKind hint,
                MessageKind dns,
                PieceSink& sink) noexcept;

}  // namespace curlew::probe

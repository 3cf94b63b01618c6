#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/protocols/names.h"
#include "probe/protocols/quic_initial.h"

// What is kept of a QUIC client's handshake, one message per side: a row of entries
//
//   connection   0 | version 4 | octets of the id 1 | id
//   crypto       1 | offset 4 | octets 2 | the client's handshake from that offset on
//
// in network order. What follows a connection belongs to it; a client that begins anew in another
// version, or that a server's Retry gave another id, has another one.

namespace curlew::probe {

enum class QuicEntry : uint8_t { connection = 0, crypto = 1 };

inline constexpr size_t kQuicConnectionOctets = 1 + 4 + 1 + kMaximumQuicIdOctets;
inline constexpr size_t kQuicCryptoHeaderOctets = 1 + 4 + 2;

// Returns the octets written.
size_t write_quic_connection(const QuicConnection& connection,
                             std::array<uint8_t, kQuicConnectionOctets>& out) noexcept;
void write_quic_crypto_header(const CryptoFrame& frame,
                              std::array<uint8_t, kQuicCryptoHeaderOctets>& out) noexcept;

// The last connection of a message. False when there is none.
bool find_quic_connection(std::span<const uint8_t> message, QuicConnection& connection) noexcept;

// The handshake without gaps from its beginning, as far as it is there and there is room.
struct QuicHandshake {
    size_t octets = 0;
    bool whole = false;  // the client's first message is there to its end
};
QuicHandshake join_quic_handshake(std::span<const uint8_t> message,
                                  std::span<uint8_t> room) noexcept;

// The server name of a ClientHello, or of Google's CHLO.
void find_quic_server_name(std::span<const uint8_t> handshake, FoundNames& names) noexcept;

}  // namespace curlew::probe

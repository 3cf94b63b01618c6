#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/protocols/quic_keys.h"

// Opens what a QUIC client says before keys are agreed upon: of the versions whose keys
// protocols/quic_keys.h derives, and of Google's before, up to Q046, that say it in clear.

namespace curlew::probe {

inline constexpr size_t kMaximumCryptoFrames = 64;  // of one datagram
inline constexpr size_t kMaximumQuicOctets = 4096;  // opened of one datagram

// A piece of the client's stream of handshake messages (RFC 9000 section 19.6). Google's own
// handshake is one message "CHLO" at offset 0.
struct CryptoFrame {
    uint32_t offset = 0;
    std::span<const uint8_t> octets;  // into OpenedQuic::plain, or into the datagram
};

struct OpenedQuic {
    QuicConnection connection;
    size_t frame_count = 0;
    std::array<CryptoFrame, kMaximumCryptoFrames> frames;
    size_t plain_octets = 0;
    std::array<uint8_t, kMaximumQuicOctets> plain;

    std::span<const CryptoFrame> found() const noexcept {
        return std::span(frames).first(frame_count);
    }
};

// True for a datagram that begins with a packet such as a client's first one, of a version that is
// opened here. A server's Initial looks alike.
bool is_quic_initial(std::span<const uint8_t> datagram) noexcept;

// Opens the Initial packets at the beginning of a datagram as a client's, with the keys of `known`
// or, failing that, with those of their own header. False when none can be opened: they are not a
// client's, or cut, or they lie. Then `opened` is undefined. Requires: is_quic_initial(datagram).
bool open_quic_initials(std::span<const uint8_t> datagram,
                        const QuicConnection* known,
                        QuicCipher& cipher,
                        OpenedQuic& opened) noexcept;

}  // namespace curlew::probe

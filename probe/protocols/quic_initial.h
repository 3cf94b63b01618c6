#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// Opens what a QUIC client says before keys are agreed upon. Initial packets are enciphered with
// keys that anybody derives from their own header, so that this is a matter of form and not of
// secrets: RFC 9001 section 5.2 (version 1), RFC 9369 section 3.3 (version 2), drafts 22 to 34,
// Facebook's mvfst, Google's Q050 and T050, T051. Google's versions before, up to Q046, say it in
// clear.

namespace curlew::probe {

inline constexpr size_t kMaximumQuicIdOctets = 20;  // RFC 9000 section 17.2
inline constexpr size_t kMaximumCryptoFrames = 64;  // of one datagram
inline constexpr size_t kMaximumQuicOctets = 4096;  // opened of one datagram

// What the keys are made of.
struct QuicConnection {
    uint32_t version = 0;
    uint8_t id_octets = 0;
    std::array<uint8_t, kMaximumQuicIdOctets> id{};  // the destination's, as the client chose it

    bool operator==(const QuicConnection&) const = default;
};

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
// Any thread.
bool open_quic_initials(std::span<const uint8_t> datagram,
                        const QuicConnection* known,
                        OpenedQuic& opened) noexcept;

// The client's keys for Initial packets (RFC 9001 section 5.1 and appendix A.1).
struct QuicKeys {
    std::array<uint8_t, 16> key;
    std::array<uint8_t, 12> iv;
    std::array<uint8_t, 16> header_key;
};
// False for a version without.
bool derive_quic_keys(const QuicConnection& connection, QuicKeys& keys) noexcept;

}  // namespace curlew::probe

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

// Initial packets of QUIC are enciphered with keys that anybody derives from their own header, so
// that opening them is a matter of form and not of secrets: RFC 9001 section 5.2 (version 1),
// RFC 9369 section 3.3 (version 2), drafts 22 to 34, Facebook's mvfst, Google's Q050 and T050,
// T051.

namespace curlew::probe {

inline constexpr size_t kMaximumQuicIdOctets = 20;  // RFC 9000 section 17.2
inline constexpr size_t kQuicTagOctets = 16;        // behind what is sealed
inline constexpr size_t kQuicSampleOctets = 16;

inline constexpr uint32_t kQuicVersion2 = 0x6b3343cf;

// Google's versions are words.
constexpr uint32_t quic_version_of(const char (&text)[5]) noexcept {
    return static_cast<uint32_t>(text[0]) << 24 | static_cast<uint32_t>(text[1]) << 16 |
           static_cast<uint32_t>(text[2]) << 8 | static_cast<uint32_t>(text[3]);
}

// What the keys are made of.
struct QuicConnection {
    uint32_t version = 0;
    uint8_t id_octets = 0;
    std::array<uint8_t, kMaximumQuicIdOctets> id{};  // the destination's, as the client chose it

    bool operator==(const QuicConnection&) const = default;
};

// The client's keys for Initial packets (RFC 9001 section 5.1 and appendix A.1).
struct QuicKeys {
    std::array<uint8_t, 16> key;
    std::array<uint8_t, 12> iv;
    std::array<uint8_t, 16> header_key;
};

using QuicSample = std::array<uint8_t, kQuicSampleOctets>;

// Whether keys of this version are derived here.
bool has_quic_keys(uint32_t version) noexcept;

// False for a version without.
bool derive_quic_keys(const QuicConnection& connection, QuicKeys& keys) noexcept;

// The ciphers, which are made once and used for each packet: no call allocates. Not to be used by
// two threads at once.
class QuicCipher {
  public:
    // Throws std::bad_alloc.
    QuicCipher();
    ~QuicCipher();
    // What is moved from can be destroyed or assigned to.
    QuicCipher(QuicCipher&&) noexcept;
    QuicCipher& operator=(QuicCipher&&) noexcept;

    // RFC 9001 section 5.4.3: the block cipher over the sample.
    bool mask_header(const QuicKeys& keys,
                     std::span<const uint8_t, kQuicSampleOctets> sample,
                     QuicSample& mask) noexcept;

    // RFC 9001 section 5.3: AES-128-GCM, the tag behind the text. `header` is as it was before it
    // was hidden. False when it was not sealed with these keys; then `plain` is undefined.
    // Requires: text.size() >= kQuicTagOctets; `plain` has room for the text.
    bool open(const QuicKeys& keys,
              uint64_t packet_number,
              std::span<const uint8_t> header,
              std::span<const uint8_t> text,
              uint8_t* plain) noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::probe

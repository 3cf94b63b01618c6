#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace curlew::collector {

inline constexpr uint8_t kTlsHelloRequest = 0;  // RFC 8446 section 4, and RFC 5246 section 7.4
inline constexpr uint8_t kTlsClientHello = 1;
inline constexpr uint8_t kTlsServerHello = 2;
inline constexpr uint8_t kTlsCertificate = 11;
inline constexpr uint8_t kTlsClientKeyExchange = 16;

// A handshake message, or as much of it as the stream has.
struct TlsMessage {
    uint8_t type = 0;
    bool whole = false;
    std::string_view body;
};

struct TlsAlert {
    uint8_t level = 0;
    uint8_t description = 0;
};

// What one direction of a TLS connection says in clear: its handshake messages, put together again
// over records, and its alerts. A stream that does not begin with a record of TLS has nothing, and
// is not malformed: it is something else, or begins in the middle.
class TlsStream {
  public:
    // `stream` is the direction's beginning, in order, and may end anywhere.
    // Requires: it outlives this.
    explicit TlsStream(std::string_view stream);
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    // Up to the first record that is encrypted. The bodies are views into this.
    const std::vector<TlsMessage>& messages() const noexcept { return messages_; }
    const std::vector<TlsAlert>& alerts() const noexcept { return alerts_; }

    // The body of an SSLv2 ClientHello, from its version on; empty if the stream has none.
    std::string_view version2_hello() const noexcept { return version2_hello_; }

    // The first message after the change of cipher, which is in clear in TLS 1.3 after a
    // HelloRetryRequest and never otherwise (RFC 8446 appendix D.4). Type 0 without a body: none.
    TlsMessage message_after_change() const noexcept;

    // Records or messages contradict themselves or each other.
    bool malformed() const noexcept { return malformed_; }

  private:
    void read_records(std::string_view stream);
    void read_alert(std::string_view fragment, bool whole);
    void split_messages();

    std::string handshake_;     // contents of the handshake records in clear
    std::string after_change_;  // and of those after the change of cipher
    std::string_view version2_hello_;
    std::vector<TlsMessage> messages_;
    std::vector<TlsAlert> alerts_;
    bool went_on_ = false;  // a record that is no handshake's followed the last message
    bool malformed_ = false;
};

}  // namespace curlew::collector

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// What one direction of a TLS or DTLS connection says in clear, whatever carried it.

namespace curlew::collector {

inline constexpr uint8_t kTlsHelloRequest = 0;  // RFC 8446 section 4, RFC 5246 section 7.4
inline constexpr uint8_t kTlsClientHello = 1;
inline constexpr uint8_t kTlsServerHello = 2;
inline constexpr uint8_t kDtlsHelloVerifyRequest = 3;  // RFC 6347 section 4.3.2
inline constexpr uint8_t kTlsCertificate = 11;
inline constexpr uint8_t kTlsClientKeyExchange = 16;

inline constexpr uint8_t kTlsChangeCipherSpecRecord = 20;  // RFC 8446 section 5.1
inline constexpr uint8_t kTlsAlertRecord = 21;
inline constexpr uint8_t kTlsHandshakeRecord = 22;
inline constexpr uint8_t kTlsApplicationDataRecord = 23;

inline constexpr size_t kMaximumTlsMessages = 64;
inline constexpr size_t kMaximumTlsAlerts = 8;

enum class TlsForm : uint8_t {
    tls,
    dtls,  // a ClientHello has a cookie
    quic,
};

// A handshake message, or as much of it as there is.
struct TlsMessage {
    uint8_t type = 0;
    bool whole = false;
    std::string_view body;
};

struct TlsAlert {
    uint8_t level = 0;
    uint8_t description = 0;
};

struct TlsClear {
    TlsForm form = TlsForm::tls;
    std::vector<TlsMessage> messages;  // up to the first that is encrypted
    std::vector<TlsAlert> alerts;
    // The body of an SSLv2 ClientHello, from its version on; empty if there is none.
    std::string_view version2_hello;
    // The first message after the change of cipher, which is in clear in TLS 1.3 after a
    // HelloRetryRequest and never otherwise (RFC 8446 appendix D.4). Type 0 without a body: none.
    TlsMessage after_change;
    bool malformed = false;  // records or messages contradict themselves or each other

    // Requires: `fragment` is the whole content of a record in clear. RFC 8446 section 6: two
    // octets; what is longer is encrypted.
    void add_alert(std::string_view fragment) {
        if (fragment.size() < 2) {
            malformed = true;
        } else if (fragment.size() == 2 && alerts.size() < kMaximumTlsAlerts) {
            alerts.push_back(
                {static_cast<uint8_t>(fragment[0]), static_cast<uint8_t>(fragment[1])});
        }
    }
};

}  // namespace curlew::collector

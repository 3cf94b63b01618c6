#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/traffic_random.h"

// TLS 1.2 and DTLS 1.2 as seen from outside: handshakes in the clear, the rest random.

namespace curlew::cli {

inline constexpr uint8_t kTlsChangeCipherSpec = 20;
inline constexpr uint8_t kTlsAlert = 21;
inline constexpr uint8_t kTlsHandshake = 22;
inline constexpr uint8_t kTlsApplicationData = 23;

inline constexpr uint16_t kSsl30 = 0x0300;
inline constexpr uint16_t kTls12 = 0x0303;

// RFC 5246 section 6.2.1.
std::string tls_record(uint8_t type, uint16_t version, std::string_view body);
std::string tls_random_record(TrafficRandom& random, uint8_t type, size_t body_octets);

// A handshake record; no server name extension (RFC 6066) when `server_name` is empty.
std::string tls_client_hello(TrafficRandom& random,
                             uint16_t record_version,
                             std::string_view server_name);

// ServerHello, Certificate and ServerHelloDone for RSA key exchange, a record each.
std::string tls_server_hello(TrafficRandom& random, std::string_view certificate_name);
// ClientKeyExchange, ChangeCipherSpec and Finished.
std::string tls_client_finish(TrafficRandom& random);
// ChangeCipherSpec and Finished.
std::string tls_server_finish(TrafficRandom& random);

// One end of a DTLS session with a pre-shared key (RFC 6347, RFC 4279, AES-128-CCM-8). Each
// call makes one datagram.
class DtlsEnd {
  public:
    explicit DtlsEnd(TrafficRandom& random) : random_(random) {}

    std::string client_hello(std::string_view cookie);
    std::string hello_verify_request(std::string_view cookie);
    std::string server_hello();
    std::string server_hello_done();
    std::string client_key_exchange(std::string_view identity);
    std::string change_cipher_spec();
    std::string finished();
    std::string application_data(size_t text_octets);
    std::string close_notify();

  private:
    std::string record(uint8_t type, std::string_view body);
    std::string handshake(uint8_t type, std::string_view body);
    std::string sealed(uint8_t type, size_t text_octets);

    TrafficRandom& random_;
    uint16_t epoch_ = 0;
    uint64_t next_record_ = 0;
    uint16_t next_message_ = 0;
    std::string hello_random_;  // the same in both ClientHellos
};

}  // namespace curlew::cli

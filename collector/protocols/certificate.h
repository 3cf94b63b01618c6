#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "collector/digest.h"
#include "collector/json_line.h"

namespace curlew::collector {

// X.509 certificates (RFC 5280) of unknown hosts as JSON objects: `version`, `serial`,
// `signature_algorithm`, `issuer`, `subject`, `not_before`, `not_after`, `public_key_algorithm`,
// `public_key_bits`, `sha256` of the DER, `san`. Names are as RFC 2253 writes them; a member that
// cannot be read is left out. The same few come again and again, and decoding one is slow, so what
// was written is kept, up to a bound. One thread.
class CertificateWriter {
  public:
    // False, and a member `malformed`, when `der` is no certificate to its end.
    bool write(JsonLine& json, std::string_view der);

    // Of what is kept.
    static constexpr size_t kMaximumKeptOctets = 4 * 1024 * 1024;
    size_t kept_octets() const noexcept { return kept_octets_; }

  private:
    struct Written {
        std::string object;
        bool right = false;
    };

    Sha256 digest_;
    JsonLine line_;
    std::unordered_map<std::string, Written> kept_;  // by hex digits of the SHA-256
    size_t kept_octets_ = 0;
};

}  // namespace curlew::collector

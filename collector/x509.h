#pragma once

#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string_view>

// X.509 certificates (RFC 5280) of unknown hosts. OpenSSL decodes the public key with each of them,
// and a key of few octets can take it a tenth of a second; so it is made to leave the key alone.

namespace curlew::collector {

struct CertificateRelease {
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, CertificateRelease>;

// Null when `der` begins with no certificate; else `octets` of it are one. Any thread. Leaves its
// errors in OpenSSL's queue.
Certificate decode_certificate(std::string_view der, size_t& octets);

// Of an RSA key the modulus, of DSA and DH the prime, of an elliptic curve the order of its base
// point, as the certificate tells them: nobody looks whether there is such a key. 0: it tells none,
// or the algorithm is another.
uint32_t public_key_bits(const X509* certificate);

}  // namespace curlew::collector

#pragma once

#include <string>

namespace curlew::collector {

// What is in a certificate that a test makes. Keys and times are fixed, so equal words give equal
// octets.
struct CertificateWords {
    std::string organization = "Curlew, Inc.";  // subject and issuer
    std::string common_name = "example.org";    // subject, UTF-8
    std::string alternative_names =
        "DNS:example.org,IP:192.0.2.1,email:a@example.org,IP:2001:db8::1";
};

// DER of an X.509 certificate, Ed25519, valid from 2020-02-29 to 2049-12-31.
std::string make_certificate(const CertificateWords& words = {});

}  // namespace curlew::collector

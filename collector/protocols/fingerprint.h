#pragma once

#include <string>

#include "collector/protocols/tls_hello.h"

// Fingerprints of TLS hellos: what a program's library offers says which program it is. All require
// a hello that is complete.

namespace curlew::collector {

// JA3 before its MD5: five lists of decimal numbers, GREASE left out:
//
//     version,cipher suites,extensions,supported groups,point formats
//
// Requires: not in the form of SSLv2.
std::string ja3_text(const ClientHello& hello);

// version,cipher suite,extensions
std::string ja3s_text(const ServerHello& hello);

enum class Transport : char {
    tls = 't',
    dtls = 'd',
    quic = 'q',
};

// JA4 of a TLS client: `t13d1516h2_8daaf6152771_e5627efa2ab1`, which is
//
//     transport, highest version, d with a server name and i without, number of cipher suites and
//     of extensions, ends of the first ALPN name _ hash of the sorted cipher suites
//     _ hash of the sorted extensions and of the signature algorithms as they stand
//
// GREASE is left out everywhere; numbers end at 99; hashes are the first 12 digits of SHA-256.
// Requires: not in the form of SSLv2.
std::string ja4(const ClientHello& hello, Transport transport);

}  // namespace curlew::collector

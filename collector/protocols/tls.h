#pragma once

#include <string_view>
#include <vector>

#include "collector/json_line.h"
#include "collector/protocols/certificate.h"
#include "collector/protocols/tls_clear.h"
#include "collector/protocols/tls_hello.h"

// The member `tls` of a record, out of what both directions of a connection said in clear:
// SSLv2-style hellos, SSLv3, TLS 1.0 to 1.3, DTLS. DATASET.md and METADATA.md say what they mean.

namespace curlew::collector {

// `forward` and `reverse` are the beginnings of the two octet streams, in order; either may be
// empty and both may end anywhere. Which is the client's is told by the hellos. Without a hello
// nothing is written. False when octets contradict themselves: the object then says `malformed`.
bool write_tls(JsonLine& json,
               CertificateWriter& certificates,
               std::string_view forward,
               std::string_view reverse);

// The same of DTLS, from the first datagrams of each direction.
bool write_dtls(JsonLine& json,
                CertificateWriter& certificates,
                const std::vector<std::string_view>& forward,
                const std::vector<std::string_view>& reverse);

// What a ClientHello alone says, as members of the object that is open.
void write_client_members(JsonLine& json, const ClientHello& hello, TlsForm form);

}  // namespace curlew::collector

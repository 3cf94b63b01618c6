#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probe/protocols/quic_initial.h"
#include "tests/support/packet_builder.h"

// QUIC in words, as a client sends it: frames, sealed into a packet.

namespace curlew::tests {

probe::QuicConnection quic_connection(uint32_t version, const Octets& id);

// RFC 9000 section 19.6; `type` is 8 in Google's Q050.
Octets crypto_frame(uint32_t offset, const Octets& octets, uint8_t type = 6);

// An Initial packet of `header`'s version and destination, its plain text sealed with the keys of
// `keys`, and padded. RFC 9001 section 5.
Octets sealed_initial(const probe::QuicConnection& header,
                      const probe::QuicConnection& keys,
                      Octets plain,
                      uint32_t packet_number = 2);

inline Octets sealed_initial(const probe::QuicConnection& connection, const Octets& plain) {
    return sealed_initial(connection, connection, plain);
}

// A ClientHello with nothing but a server name, as a handshake message.
Octets client_hello_for(const std::string& server_name, size_t padding = 0);

}  // namespace curlew::tests

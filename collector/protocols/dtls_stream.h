#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "collector/protocols/tls_clear.h"

namespace curlew::collector {

// Handshake messages, put together again over records and datagrams, and alerts of one direction of
// DTLS (RFC 6347, RFC 9147). Messages come in the order of their numbers, each once, whatever the
// order of their fragments was; a HelloVerifyRequest is left out. A datagram that does not begin
// with a record of DTLS in clear has nothing.
class DtlsStream {
  public:
    // Requires: what `datagrams` view outlives this.
    explicit DtlsStream(const std::vector<std::string_view>& datagrams);
    DtlsStream(const DtlsStream&) = delete;
    DtlsStream& operator=(const DtlsStream&) = delete;

    // Its bodies are views into this.
    const TlsClear& clear() const noexcept { return clear_; }

  private:
    struct Fragment {
        uint16_t sequence = 0;
        uint8_t type = 0;
        uint32_t length = 0;  // of the whole message
        uint32_t offset = 0;
        std::string_view octets;
    };

    void read_datagram(std::string_view datagram);
    void read_handshake(std::string_view content);
    void join_fragments();

    TlsClear clear_;
    std::vector<Fragment> fragments_;
    std::deque<std::string> bodies_;  // does not move them as it grows
};

}  // namespace curlew::collector

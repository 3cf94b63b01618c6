#pragma once

#include <string>
#include <string_view>

#include "collector/protocols/tls_clear.h"

namespace curlew::collector {

// Handshake messages, put together again over records, and alerts of one direction of TLS. A stream
// that does not begin with a record of TLS has nothing, and is not malformed: it is something else,
// or begins in the middle.
class TlsStream {
  public:
    // `stream` is the direction's beginning, in order, and may end anywhere.
    // Requires: it outlives this.
    explicit TlsStream(std::string_view stream);
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    // Its bodies are views into this.
    const TlsClear& clear() const noexcept { return clear_; }

  private:
    void read_records(std::string_view stream);
    void split_messages();

    TlsClear clear_;
    std::string handshake_;     // contents of the handshake records in clear
    std::string after_change_;  // and of those after the change of cipher
    bool went_on_ = false;      // a record that is no handshake's followed the last message
};

}  // namespace curlew::collector

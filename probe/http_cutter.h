#pragma once

#include <cstdint>
#include <span>

#include "probe/stream_cutter.h"

// HTTP/1's part of the stream cutter: heads are kept, bodies passed over (RFC 9112).

namespace curlew::probe {

// A segment begins. Inside an answer's body, what begins like a message is believed more than the
// head before it: that may have told the length of what the answer to HEAD leaves out. A request's
// length holds (RFC 9112 section 6.3), so that no body is taken for requests.
void meet_segment(StreamSide& side, std::span<const uint8_t> octets) noexcept;

// One step; returns the octets behind it. Requires: a side of HTTP, not at a front.
std::span<const uint8_t> cut_http(StreamSide& side,
                                  std::span<const uint8_t> octets,
                                  PieceSink& sink) noexcept;

}  // namespace curlew::probe

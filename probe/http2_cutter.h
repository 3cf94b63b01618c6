#pragma once

#include <cstdint>
#include <span>

#include "probe/stream_cutter.h"

// HTTP/2's part of the stream cutter. Of a connection in the clear the DNS messages are kept that
// come in a frame of data each (RFC 8484), and nothing else. Frames with padding are passed over,
// and all that follows a hole.

namespace curlew::probe {

// One step; returns the octets behind it. Requires: a side of HTTP/2, not at a front.
std::span<const uint8_t> cut_http2(StreamSide& side,
                                   std::span<const uint8_t> octets,
                                   PieceSink& sink) noexcept;

}  // namespace curlew::probe

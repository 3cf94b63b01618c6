#pragma once

#include <cstdint>
#include <span>

#include "proto/joy_protocols.pb.h"

namespace curlew::probe {

// Lexes one TCP payload as Joy 3.0.3 lexes HTTP: on its own, what comes in several packets is not
// put together. False when it is no message to Joy; `message` is then of no use. A head whose end
// comes before the end of its start line is a message without a line.
bool read_joy_http(std::span<const uint8_t> payload, proto::JoyHttpMessage& message);

}  // namespace curlew::probe

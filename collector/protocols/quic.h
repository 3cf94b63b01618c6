#pragma once

#include <string_view>

#include "collector/json_line.h"

// The member `quic` of a record: what a client says before keys are agreed upon, in a ClientHello
// (RFC 9001) or in Google's own CHLO. DATASET.md says what its members mean.

namespace curlew::collector {

// `client` is a message as the probe keeps it (proto: MESSAGE_PROTOCOL_QUIC). Without a connection
// in it nothing is written. False when octets contradict themselves: the object then says
// `malformed`.
bool write_quic(JsonLine& json, std::string_view client);

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <span>

#include "collector/batch_decoder.h"
#include "proto/flow.pb.h"

// Limits on the Joy record of a flow, for the batch decoder.

namespace curlew::collector {

// Joy's own bounds, which its meter keeps.
inline constexpr int kMaximumJoyPackets = 50;
inline constexpr size_t kMaximumJoyPayloadOctets = 32;
inline constexpr size_t kMaximumJoyPacketOctets = 1300;
inline constexpr size_t kMaximumJoyOptionOctets = 24;
inline constexpr uint32_t kLongestTcpOptions = 40;
// Of all protocols of one record: messages, headers of messages, TLS records.
inline constexpr int kMaximumJoyElements = 2048;

// Of a JoyRecord that is still octets: whether it unfolds to more messages than any record has.
BatchError check_joy_elements(std::span<const uint8_t> record);

// Of one that was parsed: lengths and ranges, so that it can be printed without a further look.
BatchError check_joy(const proto::JoyRecord& record);

}  // namespace curlew::collector

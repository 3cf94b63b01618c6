#pragma once

#include <string>

#include "collector/json_line.h"
#include "proto/flow.pb.h"

// What Joy 3.0.3 prints of TCP headers. Requires, all: the record passed the batch decoder.

namespace curlew::collector {

// tcp; nothing when neither side began the connection.
void write_joy_tcp(JsonLine& json, const proto::JoyRecord& record);

// ppi: the segments of both sides in order of time; nothing when the side printed first has none.
void write_joy_segments(JsonLine& json, const proto::JoyRecord& record);

// Milliseconds from one time to the other, rounded down and negative ones modulo 2^32.
uint32_t joy_milliseconds(uint64_t from_us, uint64_t to_us) noexcept;

}  // namespace curlew::collector

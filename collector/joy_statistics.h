#pragma once

#include "collector/json_line.h"
#include "proto/flow.pb.h"

// The numbers that Joy 3.0.3 makes of payload octets, with its arithmetic and its digits.

namespace curlew::collector {

// byte_dist, byte_dist_mean, byte_dist_std, entropy, total_entropy. Requires: the record passed the
// batch decoder.
void write_joy_statistics(JsonLine& json, const proto::JoyRecord& record);

// wht; nothing without payload.
void write_joy_walsh(JsonLine& json, const proto::JoyRecord& record);

// A number as printf writes it with %f.
void write_joy_real(JsonLine& json, std::string_view name, double value);

}  // namespace curlew::collector

#pragma once

#include "collector/json_line.h"
#include "proto/joy_protocols.pb.h"

namespace curlew::collector {

// `tls` as Joy 3.0.3 prints it. Nothing when the record, or a twin that has packets for TLS, has no
// version. Both versions are the record's own.
void write_joy_tls(JsonLine& json, const proto::JoyTls& record, const proto::JoyTls* twin);

}  // namespace curlew::collector

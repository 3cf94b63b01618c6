#pragma once

#include "collector/json_line.h"
#include "proto/joy_protocols.pb.h"

namespace curlew::collector {

// `http` as Joy 3.0.3 prints it: pairs of the record's and the twin's messages by their number.
// Nothing when neither has one.
void write_joy_http(JsonLine& json, const proto::JoyHttp& record, const proto::JoyHttp* twin);

}  // namespace curlew::collector

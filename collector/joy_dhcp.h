#pragma once

#include "collector/json_line.h"
#include "proto/joy_protocols.pb.h"

namespace curlew::collector {

// `dhcp` as Joy 3.0.3 prints it: of the record alone, the twin's is never printed. Options end
// where the message ends; Joy reads on. An option without a value, with which Joy's output is no
// JSON, has an empty one.
void write_joy_dhcp(JsonLine& json, const proto::JoyDhcp& record);

}  // namespace curlew::collector

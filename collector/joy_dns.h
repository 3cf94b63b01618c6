#pragma once

#include "collector/json_line.h"
#include "proto/joy_protocols.pb.h"

namespace curlew::collector {

// `dns` as Joy 3.0.3 prints it: the messages of the twin when there is one that has any packet for
// DNS, and nothing when neither has a message. Where Joy's output would not be JSON (a question
// that cannot be read), it is closed properly.
void write_joy_dns(JsonLine& json, const proto::JoyDns& record, const proto::JoyDns* twin);

}  // namespace curlew::collector

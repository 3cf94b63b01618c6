#pragma once

#include <string>

#include "collector/json_line.h"

namespace curlew::collector {

// One entry of `s_cert` or `c_cert` as Joy 3.0.3 prints it. What OpenSSL cannot read has a length
// alone. The text of extensions is that of the OpenSSL at hand.
void write_joy_certificate(JsonLine& json, const std::string& der);

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <string>

namespace curlew::collector {

// "warning", "fatal", or the number as text.
std::string alert_level_name(uint8_t level);

// The name in RFC 8446 section 6 and its predecessors, or the number as text.
std::string alert_name(uint8_t description);

}  // namespace curlew::collector

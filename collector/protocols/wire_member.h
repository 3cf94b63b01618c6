#pragma once

#include <string_view>

#include "collector/json_line.h"
#include "collector/wire_text.h"

// Text from the wire as it goes into JSON: always valid UTF-8 (wire_text.h), never longer than a
// record may bear.

namespace curlew::collector {

// Text from the wire is cut to so many octets of the wire.
inline constexpr size_t kMaximumTextOctets = 1024;

inline void write_wire_text(JsonLine& json, std::string_view octets) {
    octets = octets.substr(0, kMaximumTextOctets);
    if (is_utf8(octets)) {
        json.text(octets);
    } else {
        json.text(wire_text(octets));
    }
}

inline void write_wire_text(JsonLine& json, std::string_view name, std::string_view octets) {
    json.key(name);
    write_wire_text(json, octets);
}

// A member that is true or left out.
inline void write_mark(JsonLine& json, std::string_view name) {
    json.key(name);
    json.raw("true");
}

}  // namespace curlew::collector

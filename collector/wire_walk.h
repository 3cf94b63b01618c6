#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace curlew::collector {

// Walks the fields of one protobuf message without building anything. `visit` gets the field's
// number and, for a length-delimited field, its content; it returns false to stop. False when
// `visit` stopped or the octets are no message. Groups are refused: the schema has none.
bool walk_fields(std::span<const uint8_t> message,
                 const std::function<bool(uint32_t, std::span<const uint8_t>)>& visit);

}  // namespace curlew::collector

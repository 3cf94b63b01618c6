#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace curlew::collector {

// Takes one field off the front of `message`: its number and, for a length-delimited field, its
// content. False when the octets are no message. Groups are refused: the schema has none.
bool take_field(std::span<const uint8_t>& message,
                uint32_t& field,
                std::span<const uint8_t>& content);

// Walks the fields of one protobuf message without building anything. `visit` gets number and
// content of each; it returns false to stop. False when `visit` stopped or the octets are no
// message.
template <typename Visit>
bool walk_fields(std::span<const uint8_t> message, Visit&& visit) {
    while (!message.empty()) {
        uint32_t field = 0;
        std::span<const uint8_t> content;
        if (!take_field(message, field, content) || !visit(field, content)) {
            return false;
        }
    }
    return true;
}

}  // namespace curlew::collector

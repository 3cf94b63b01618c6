#include "collector/wire_walk.h"

namespace curlew::collector {
namespace {

// Base 128 varint of at most 10 octets at the front of `octets`, which it shortens.
bool take_varint(std::span<const uint8_t>& octets, uint64_t& value) {
    value = 0;
    for (size_t i = 0; i < 10 && i < octets.size(); ++i) {
        value |= static_cast<uint64_t>(octets[i] & 0x7f) << (7 * i);
        if ((octets[i] & 0x80) == 0) {
            octets = octets.subspan(i + 1);
            return true;
        }
    }
    return false;
}

bool take_octets(std::span<const uint8_t>& octets,
                 uint64_t count,
                 std::span<const uint8_t>& content) {
    if (count > octets.size()) {
        return false;
    }
    content = octets.first(static_cast<size_t>(count));
    octets = octets.subspan(static_cast<size_t>(count));
    return true;
}

}  // namespace

bool take_field(std::span<const uint8_t>& message,
                uint32_t& field,
                std::span<const uint8_t>& content) {
    uint64_t tag = 0;
    uint64_t number = 0;
    content = {};
    if (!take_varint(message, tag) || tag > UINT32_MAX) {
        return false;
    }
    field = static_cast<uint32_t>(tag >> 3);
    std::span<const uint8_t> skipped;
    switch (tag & 7) {
        case 0:
            return take_varint(message, number);
        case 1:
            return take_octets(message, 8, skipped);
        case 2:
            return take_varint(message, number) && take_octets(message, number, content);
        case 5:
            return take_octets(message, 4, skipped);
        default:
            return false;
    }
}

}  // namespace curlew::collector

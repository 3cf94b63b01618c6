#pragma once

#include <cstdint>

// Numbers as they stand in packets. Requires: the octets are readable.

namespace curlew::probe {

inline uint16_t read_16(const uint8_t* at) noexcept {
    return static_cast<uint16_t>(at[0] << 8 | at[1]);
}

inline uint32_t read_32(const uint8_t* at) noexcept {
    return static_cast<uint32_t>(read_16(at)) << 16 | read_16(at + 2);
}

inline uint64_t read_64(const uint8_t* at) noexcept {
    return static_cast<uint64_t>(read_32(at)) << 32 | read_32(at + 4);
}

// Least significant octet first, as IEEE 802.11 and radiotap have them.
inline uint16_t read_little_16(const uint8_t* at) noexcept {
    return static_cast<uint16_t>(at[1] << 8 | at[0]);
}

inline uint32_t read_little_32(const uint8_t* at) noexcept {
    return static_cast<uint32_t>(read_little_16(at + 2)) << 16 | read_little_16(at);
}

}  // namespace curlew::probe

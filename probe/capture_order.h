#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>

// Numbers of a capture file, which has the byte order of the machine that wrote it.

namespace curlew::probe {

template <std::unsigned_integral Integer>
Integer load(const uint8_t* at, bool swapped) noexcept {
    Integer value{};
    std::memcpy(&value, at, sizeof(value));
    if (!swapped) {
        return value;
    }
    if constexpr (sizeof(Integer) == 2) {
        return __builtin_bswap16(value);
    } else if constexpr (sizeof(Integer) == 4) {
        return __builtin_bswap32(value);
    } else {
        return __builtin_bswap64(value);
    }
}

}  // namespace curlew::probe

#pragma once

#include <cstdint>
#include <string_view>

namespace curlew::proto {

// The probe id of a probe's name, in every frame of it: 64-bit FNV-1a over the name's length, as
// eight octets from the lowest on, and the name. It names and proves nothing: who a probe is, its
// key proves.
constexpr uint64_t probe_id_of(std::string_view name) noexcept {
    uint64_t state = 0xcbf29ce484222325;
    const auto add = [&state](uint8_t octet) { state = (state ^ octet) * 0x100000001b3; };
    for (int shift = 0; shift < 64; shift += 8) {
        add(static_cast<uint8_t>(uint64_t{name.size()} >> shift));
    }
    for (const char octet : name) {
        add(static_cast<uint8_t>(octet));
    }
    return state;
}

}  // namespace curlew::proto

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace curlew::collector {

// Keyed anew in each process, so that nobody who sends packets makes hash tables slow. Says nothing
// of the octets' order: what is written must not follow it.
uint64_t octet_hash(std::string_view octets) noexcept;

// The same in every process. Who knows it can make octets with any: for choices alone that have to
// come out alike, not for tables.
uint64_t fixed_octet_hash(std::string_view octets) noexcept;

// For the standard's containers, with look-up by views.
struct OctetHash {
    using is_transparent = void;
    size_t operator()(std::string_view octets) const noexcept { return octet_hash(octets); }
};

}  // namespace curlew::collector

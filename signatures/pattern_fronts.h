#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// What a payload must begin like for a pattern to match it: tells most patterns of a set from a
// payload before Hyperscan looks at it, and many without it. Never too narrow: what no front of a
// pattern has room for, the pattern does not match.

namespace curlew::signatures {

inline constexpr size_t kFrontPlaces = 128;

// A pattern's branches are fronts of their own as long as there are so few.
inline constexpr size_t kMostFronts = 8;

// As many as there are of some octets, at least and at most so many: what follows is none of them.
struct Run {
    std::bitset<256> octets;
    uint32_t least = 1;
    uint32_t most = 1;  // UINT32_MAX: no bound
};

struct Front {
    // By place, from the payload's first octet: what may stand there. A place behind the payload's
    // end says nothing.
    std::array<std::bitset<256>, kFrontPlaces> octets;
    size_t least_octets = 0;  // a shorter payload is not matched
    // Each payload that has this front is matched, first at least_octets; with runs, each that has
    // them one after the other from place runs_at on, first where the last of them ends.
    bool suffices = false;
    size_t runs_at = 0;
    std::vector<Run> runs;
};

// Of a pattern as Hyperscan reads it: PCRE, octets, `.` also a line's end. A payload that the
// pattern matches has one of the fronts. Just one with all octets everywhere for a pattern that
// does not begin with ^ in every branch, or uses what is not read here. Throws nothing but
// std::bad_alloc.
std::vector<Front> pattern_fronts(std::string_view pattern);

}  // namespace curlew::signatures

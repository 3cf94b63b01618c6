#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <string_view>

// Which octets a pattern can have at each of its first places: a sieve that tells most patterns of
// a set from a payload before Hyperscan looks at it. Never too narrow: an octet that is left out at
// a place cannot stand there in any payload that the pattern matches.

namespace curlew::signatures {

inline constexpr size_t kFirstPlaces = 24;

// By place, from the payload's first octet. A place behind the payload's end says nothing.
using FirstOctets = std::array<std::bitset<256>, kFirstPlaces>;

// Of a pattern as Hyperscan reads it: PCRE, octets, `.` also a line's end. All octets everywhere
// for one that does not begin with ^ in every branch, or uses what is not read here. Throws nothing
// but std::bad_alloc.
FirstOctets first_octets(std::string_view pattern);

}  // namespace curlew::signatures

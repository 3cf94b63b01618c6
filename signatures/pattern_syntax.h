#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// The part of a payload pattern's language that can be looked at apart from Hyperscan.

namespace curlew::signatures {

struct PatternNode {
    enum class Kind {
        octets,
        sequence,
        choice,
        repeat,
        begin,
        boundary,
        end,
        end_or_last_line_feed
    };
    Kind kind = Kind::sequence;
    std::bitset<256> octets;
    std::vector<PatternNode> parts;
    uint32_t least = 0;  // of a repeat
    uint32_t most = 0;   // UINT32_MAX: no bound
};

// A choice of sequences, of a pattern as Hyperscan reads it: PCRE, octets, `.` also a line's end.
// Nothing for a pattern that uses what is not read here. Throws nothing but std::bad_alloc.
std::optional<PatternNode> parse_pattern(std::string_view pattern);

}  // namespace curlew::signatures

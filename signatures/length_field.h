#pragma once

#include <cstdint>
#include <span>

// A number in a payload that tells how long the payload is, which no regular expression can check.

namespace curlew::signatures {

class TableReader;

struct LengthField {
    uint16_t at = 0;     // where its first octet stands
    uint8_t octets = 0;  // 1 to 4; 0: there is no such number
    bool low_first = false;
    int32_t plus = 0;  // payload octets = number + plus
};

// Of a table { at, octets, order = "big" | "little", plus }; what is missing is 0, and "big". What
// is wrong is a problem of the table's.
LengthField read_length_field(TableReader& table);

// The number stands within the payload, and is right. True when there is none.
bool is_right(const LengthField& field, std::span<const uint8_t> payload) noexcept;

}  // namespace curlew::signatures

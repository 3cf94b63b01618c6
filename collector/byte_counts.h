#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

// How often each octet value occurs in a flow's payload, as FlowSummary.byte_counts holds it: for
// each value that occurs, in ascending order, the value as one octet and its count as a varint.

namespace curlew::collector {

struct ByteCount {
    uint64_t count = 0;  // at least 1
    uint8_t value = 0;
};

class ByteCounts {
  public:
    enum class Result : uint8_t {
        whole,
        malformed,  // a varint that does not end or is longer than 10 octets
        disordered  // a value that is not above the one before, or a count of 0
    };

    // Takes the place of what was read before; the counts are defined only when the result is
    // whole.
    Result read(std::string_view octets) noexcept;

    // Values in ascending order.
    std::span<const ByteCount> counts() const noexcept { return {counts_.data(), size_}; }

  private:
    std::array<ByteCount, 256> counts_;
    size_t size_ = 0;
};

}  // namespace curlew::collector

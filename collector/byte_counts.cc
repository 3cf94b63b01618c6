#include "collector/byte_counts.h"

namespace curlew::collector {
namespace {

constexpr size_t kLongestVarint = 10;

}  // namespace

ByteCounts::Result ByteCounts::read(std::string_view octets) noexcept {
    size_ = 0;
    const auto octet = [&](size_t i) { return static_cast<uint8_t>(octets[i]); };
    int previous = -1;
    for (size_t at = 0; at < octets.size();) {
        const uint8_t value = octet(at++);
        uint64_t count = 0;
        bool ended = false;
        if (at < octets.size() && octet(at) < 0x80) [[likely]] {
            count = octet(at++);
            ended = true;
        }
        for (size_t i = 0; !ended && i < kLongestVarint && at < octets.size(); ++i, ++at) {
            count |= static_cast<uint64_t>(octet(at) & 0x7f) << (7 * i);
            ended = (octet(at) & 0x80) == 0;
        }
        if (!ended) {
            return Result::malformed;
        }
        // Ascending values cannot be more than there is room for.
        if (value <= previous || count == 0) {
            return Result::disordered;
        }
        counts_[size_++] = {count, value};
        previous = value;
    }
    return Result::whole;
}

}  // namespace curlew::collector

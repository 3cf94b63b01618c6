#pragma once

#include <cstdint>

namespace curlew::tests {

// In nanoseconds, as packets have their times.
inline constexpr uint64_t kMicrosecond = 1'000;
inline constexpr uint64_t kMillisecond = 1'000'000;
inline constexpr uint64_t kSecond = 1'000'000'000;

}  // namespace curlew::tests

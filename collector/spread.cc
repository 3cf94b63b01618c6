#include "collector/spread.h"

#include <cassert>
#include <cmath>
#include <cstdint>

#include "proto/body_limits.h"

namespace curlew::collector {
namespace {

__extension__ typedef unsigned __int128 Wide;

}  // namespace

bool is_plausible(const proto::Spread& spread) {
    if (spread.count() > proto::kMaximumCount || spread.minimum() > spread.maximum()) {
        return false;
    }
    if (spread.histogram_size() != kSpreadBins) {
        return spread.histogram_size() == 0 && spread.count() == 0;
    }
    uint64_t values = 0;
    for (const uint32_t bin : spread.histogram()) {
        values += bin;
    }
    return values == spread.count();
}

// With q the mean rounded down and r what that leaves of the sum, sum = n q + r:
//
//   M2 = sum of (x - mean)^2 = D - r^2 / n,   D = sum of (x - q)^2 = squares - 2 q sum + n q^2
//
// D is a whole number between 0 and the sum of squares, so that 128 bits hold it, whatever runs
// over on the way. Nothing is lost where the deviation is small beside the mean.
SpreadNumbers spread_numbers(const proto::Spread& spread) {
    assert(spread.count() != 0);
    const Wide n = spread.count();
    const Wide sum = spread.sum();
    const Wide squares = static_cast<Wide>(spread.squares_high()) << 64 | spread.squares_low();
    const Wide q = sum / n;
    const Wide r = sum % n;
    const Wide d = squares - 2 * q * sum + n * q * q;
    SpreadNumbers numbers;
    numbers.mean = static_cast<double>(static_cast<long double>(q) +
                                       static_cast<long double>(r) / static_cast<long double>(n));
    if (n == 1) {
        return numbers;
    }
    // Times n it is a whole number too, if there is room; else r^2 / n is nothing beside D.
    constexpr int kRoomForCount = 128 - 53;
    const bool is_small = d >> kRoomForCount == 0;
    const long double m2 =
        is_small ? static_cast<long double>(n * d - r * r) / static_cast<long double>(n)
                 : static_cast<long double>(d);
    numbers.deviation = static_cast<double>(std::sqrt(m2 / static_cast<long double>(n - 1)));
    return numbers;
}

}  // namespace curlew::collector

#include "collector/window.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

namespace curlew::collector {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMinute = 60 * kSecond;

tm calendar(uint64_t time_ns) {
    const auto seconds = static_cast<time_t>(time_ns / kSecond);
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return parts;
}

}  // namespace

Window window_of(uint64_t time_ns, uint32_t minutes) {
    if (minutes == 0 || minutes > UINT64_MAX / kMinute) {
        return {0, UINT64_MAX};
    }
    const uint64_t length = minutes * kMinute;
    const uint64_t from = time_ns - time_ns % length;
    return {from, from > UINT64_MAX - length ? UINT64_MAX : from + length};
}

std::string window_stamp(uint64_t time_ns) {
    return fmt::format("{:%Y%m%dT%H%M%SZ}", calendar(time_ns));
}

std::string utc_text(uint64_t time_ns) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", calendar(time_ns));
}

std::string live_dataset_name(std::string_view probe, uint64_t start_ns) {
    return fmt::format("{}-{}", probe, window_stamp(start_ns));
}

}  // namespace curlew::collector

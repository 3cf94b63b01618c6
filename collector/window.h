#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

// Windows of packet time. A record belongs where its last packet falls. With `minutes` N, windows
// are N minutes long and begin at multiples of that since 1970, UTC; with 0 there is one window for
// everything.

namespace curlew::collector {

struct Window {
    uint64_t from_ns = 0;
    uint64_t to_ns = 0;  // the first that is not in it; UINT64_MAX where time ends

    auto operator<=>(const Window&) const = default;
};

// The window that holds the time. `from_ns` names it among those of one length.
Window window_of(uint64_t time_ns, uint32_t minutes);

// "20181224T143000Z", for file names; cut to the second.
std::string window_stamp(uint64_t time_ns);

// "2018-12-24T14:30:00Z", cut to the second.
std::string utc_text(uint64_t time_ns);

// What a live dataset is called before its number: "<probe>-<window_stamp>".
std::string live_dataset_name(std::string_view probe, uint64_t start_ns);

}  // namespace curlew::collector

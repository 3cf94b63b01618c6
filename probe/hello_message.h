#pragma once

#include <span>
#include <string>
#include <string_view>

#include "probe/config.h"
#include "probe/port.h"

// What a probe says of itself before its first record, in bounds of proto/body_limits.h whatever
// its configuration holds.

namespace curlew::probe {

// A port and what the collector shall know of it.
struct OpenPort {
    Port* port = nullptr;
    std::string device;
    std::string driver;
    std::string clock;
    std::string filter;
    bool losses_counted = true;
    std::string damage = {};  // of what it reads, one sentence; empty: none is known
};

// Body of the hello, a serialized proto::Hello. Asks the kernel for the state of the system's
// clock.
std::string hello_message(const ProbeConfig& config,
                          std::string_view program_version,
                          std::string_view signatures_hash,
                          std::span<const OpenPort> ports);

}  // namespace curlew::probe

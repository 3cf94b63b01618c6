#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probe/port.h"

// Tells when one queue of a device receives several times its share: its thread is then full while
// others wait, as where the device cannot spread what comes (one tunnel, one protocol without
// ports) or was not told to. One thread's.

namespace curlew::probe {

class QueueBalance {
  public:
    using Clock = std::chrono::steady_clock;

    // How long packets are counted before they are compared.
    static constexpr std::chrono::seconds kInterval{5};
    // Uneven from so many times its share on; even again below so many.
    static constexpr uint64_t kUnevenShares = 3;
    static constexpr uint64_t kEvenShares = 2;
    // Of all queues in an interval; fewer tell nothing.
    static constexpr uint64_t kLeastPackets = 100'000;

    // Queues of one device have one name in `devices`. A device with fewer queues than
    // kUnevenShares cannot be told uneven: no queue has so much.
    explicit QueueBalance(const std::vector<std::string>& devices);

    // Looks at what each queue has counted; call as often as wanted. A sentence for people for each
    // device whose state changed.
    std::vector<std::string> look(const std::vector<PortCounters>& queues, Clock::time_point now);

  private:
    struct Device {
        std::string name;
        std::vector<size_t> queues;  // indices
        bool is_uneven = false;
    };

    std::optional<std::string> look_at(Device& device, const std::vector<uint64_t>& received);

    std::vector<Device> devices_;
    std::vector<uint64_t> counted_;  // by queue, when the interval began; empty: it has not begun
    Clock::time_point since_;
};

}  // namespace curlew::probe

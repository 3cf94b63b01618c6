#include "probe/queue_balance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace curlew::probe {

namespace {

// Lost ones, which some devices tell on their first queue alone, left out.
uint64_t received_of(const PortCounters& counters) {
    return counters.packets_offered - counters.packets_missed - counters.packets_in_error -
           counters.packets_without_buffer;
}

}  // namespace

QueueBalance::QueueBalance(const std::vector<std::string>& devices) {
    for (size_t i = 0; i < devices.size(); ++i) {
        const auto known = std::find_if(devices_.begin(), devices_.end(), [&](const Device& one) {
            return one.name == devices[i];
        });
        if (known != devices_.end()) {
            known->queues.push_back(i);
        } else {
            devices_.push_back({devices[i], {i}});
        }
    }
}

std::vector<std::string> QueueBalance::look(const std::vector<PortCounters>& queues,
                                            Clock::time_point now) {
    std::vector<std::string> sentences;
    if (!counted_.empty() && now - since_ < kInterval) {
        return sentences;
    }
    std::vector<uint64_t> counts;
    for (const PortCounters& queue : queues) {
        counts.push_back(received_of(queue));
    }
    if (!counted_.empty()) {
        assert(counted_.size() == counts.size());
        std::vector<uint64_t> received(counts.size());
        for (size_t i = 0; i < counts.size(); ++i) {
            received[i] = counts[i] - std::min(counted_[i], counts[i]);
        }
        for (Device& device : devices_) {
            if (auto sentence = look_at(device, received)) {
                sentences.push_back(std::move(*sentence));
            }
        }
    }
    counted_ = std::move(counts);
    since_ = now;
    return sentences;
}

std::optional<std::string> QueueBalance::look_at(Device& device,
                                                 const std::vector<uint64_t>& received) {
    uint64_t sum = 0;
    size_t busiest = 0;
    for (size_t queue = 0; queue < device.queues.size(); ++queue) {
        const uint64_t packets = received[device.queues[queue]];
        sum += packets;
        busiest = packets > received[device.queues[busiest]] ? queue : busiest;
    }
    if (sum < kLeastPackets) {
        return std::nullopt;
    }
    const uint64_t most = received[device.queues[busiest]] * device.queues.size();
    if (!device.is_uneven && most >= kUnevenShares * sum) {
        device.is_uneven = true;
        return fmt::format(
            "{}: queue {} of {} received {} % of the packets in {} s: the device does not spread "
            "them, and one thread has the work of all",
            device.name,
            busiest,
            device.queues.size(),
            received[device.queues[busiest]] * 100 / sum,
            kInterval.count());
    }
    if (device.is_uneven && most < kEvenShares * sum) {
        device.is_uneven = false;
        return fmt::format(
            "{}: its {} queues receive even shares again", device.name, device.queues.size());
    }
    return std::nullopt;
}

}  // namespace curlew::probe

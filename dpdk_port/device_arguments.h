#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A device as it is named in a configuration: DPDK's devargs, read as far as this project cares.

namespace curlew::dpdk_port {

struct DeviceArguments {
    explicit DeviceArguments(std::string_view device);

    bool is_pci() const noexcept;
    // The values of one key, in the order in which they stand.
    std::vector<std::string> all(std::string_view key) const;
    // Kernel interfaces that packets come from, in the order of the queues.
    std::vector<std::string> interfaces() const;
    // Capture files that packets come from, in the order of the queues.
    std::vector<std::string> captures() const { return all("rx_pcap"); }
    // Captures that begin again at their end.
    bool is_endless() const;
    // A value that is a number; `otherwise` where the key is missing.
    uint32_t number(std::string_view key, uint32_t otherwise) const;

    std::string name;  // up to the first comma: "net_pcap0", "0000:03:00.0"
    std::vector<std::pair<std::string, std::string>> values;
};

struct CaptureSize {
    uint64_t packets = 0;
    uint64_t shortened = 0;       // packets of which not all was captured
    uint32_t longest_octets = 0;  // captured
    bool is_ethernet = true;
    bool is_cut = false;      // in its last packet
    bool is_damaged = false;  // before its end
};

// Reads the whole capture. Throws std::runtime_error "<file>: <cause>".
CaptureSize measure_capture(const std::string& file);

}  // namespace curlew::dpdk_port

#pragma once

#include <cstdint>
#include <string_view>

// What is known of DPDK's drivers that DPDK does not tell: "counted, and none" looks like "not
// counted" in its statistics.

namespace curlew::dpdk_port {

enum class DriverKind : uint8_t {
    hardware,   // a network card, or what a hypervisor shows as one
    interface,  // an interface of this kernel
    software,   // rings, files, nothing
};

// Where a packet's time comes from.
enum class Stamp : uint8_t {
    probe,                // one reading of this machine's clock for each burst
    kernel_microseconds,  // the time field, microseconds since 1970
    device,               // the time field where the device offers it, in ticks of its clock
};

struct Driver {
    std::string_view name;  // as rte_eth_dev_info tells it
    DriverKind kind = DriverKind::hardware;
    // What the statistics tell in full. imissed and rx_nombuf together are every packet that had
    // no room.
    bool counts_missed = false;
    bool counts_errors = false;
    bool counts_no_buffer = false;
    // ierrors are packets. Where not: attempts to read that failed.
    bool errors_are_packets = true;
    Stamp stamp = Stamp::probe;
    // Its arguments say how many queues there are, and each of them holds packets.
    bool brings_queues = false;
    // Each receive queue wants a sending one beside it.
    bool pairs_queues = false;
    // With fewer descriptors losses go uncounted. 0: any number.
    uint16_t fewest_descriptors = 0;
    // Of the buffers packets are received into, headroom included. 0: DPDK's usual size.
    uint16_t buffer_octets = 0;
    bool is_known = true;

    bool losses_counted() const noexcept { return counts_missed && counts_no_buffer; }
};

// A driver that is not in the table comes back with is_known false and nothing trusted.
Driver find_driver(std::string_view name) noexcept;

}  // namespace curlew::dpdk_port

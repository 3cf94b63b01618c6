#pragma once

#include <cstdint>
#include <string>

#include "dpdk_port/device_arguments.h"

// Whether this machine has a device and lets us at it: DPDK only says that it failed.

namespace curlew::dpdk_port {

struct Interface {
    uint32_t index = 0;  // 0: there is none of this name
    bool is_up = false;
    bool is_running = false;  // up, and as far as its driver knows connected
    bool is_promiscuous = false;
    bool is_ethernet = true;
    uint32_t queues = 1;            // that packets come in by
    uint32_t receiving_queues = 0;  // of them, those that nothing is sent by (ethtool's rx)
};

Interface find_interface(const std::string& name) noexcept;
// The one of that index, whatever it is called by now, while there is one; else that of this name.
Interface find_interface(const std::string& name, uint32_t index) noexcept;

// The kernel takes VLAN tags off its packets, or has the card do that (ethtool's rxvlan).
bool strips_vlan_tags(const std::string& interface) noexcept;

// What can be told before DPDK tries. Throws std::runtime_error with one sentence that says what
// to do.
void check_access(const DeviceArguments& device);

// Why DPDK did not find a driver or the driver not its device, as one sentence.
std::string explain_failed_probe(const DeviceArguments& device, int error);

// Why a device that was found does not start, as one sentence.
std::string explain_failed_start(const DeviceArguments& device, int error);

}  // namespace curlew::dpdk_port

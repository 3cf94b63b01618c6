#include "dpdk_port/driver_table.h"

#include <algorithm>
#include <array>

namespace curlew::dpdk_port {

namespace {

constexpr Driver hardware(std::string_view name, Stamp stamp = Stamp::probe) {
    return {.name = name,
            .kind = DriverKind::hardware,
            .counts_missed = true,
            .counts_errors = true,
            .counts_no_buffer = true,
            .stamp = stamp};
}

// The device drops before the driver's eyes: the host, or the physical function, counts.
constexpr Driver blind(std::string_view name) {
    return {.name = name,
            .kind = DriverKind::hardware,
            .counts_errors = true,
            .counts_no_buffer = true};
}

constexpr std::array kDrivers{
    // Measured, over veth pairs and files, with DPDK 22.11.
    //
    // What the kernel's socket drops is in imissed. ierrors counts attempts to read while the
    // interface is down, and long packets that found no further buffer: none, since the pool holds
    // more than a burst can take.
    Driver{.name = "net_pcap",
           .kind = DriverKind::interface,
           .counts_missed = true,
           .counts_no_buffer = true,
           .errors_are_packets = false,
           .stamp = Stamp::kernel_microseconds,
           .brings_queues = true},
    // What finds no free frame is in imissed; what finds the receive ring full is not. The driver
    // keeps 2048 frames with the kernel, so a ring of as many is never full first. A frame is a
    // whole buffer with its headers and may not be larger than a page of memory.
    Driver{.name = "net_af_xdp",
           .kind = DriverKind::interface,
           .counts_missed = true,
           .counts_errors = true,
           .counts_no_buffer = true,
           .brings_queues = true,
           .pairs_queues = true,
           .fewest_descriptors = 2048,
           .buffer_octets = 3840},
    // Its statistics never ask the socket what it dropped.
    Driver{.name = "net_af_packet",
           .kind = DriverKind::interface,
           .counts_errors = true,
           .brings_queues = true,
           .pairs_queues = true},
    // What is in a ring is ours; what did not fit was refused to who put it there.
    Driver{.name = "net_ring",
           .kind = DriverKind::software,
           .counts_missed = true,
           .counts_errors = true,
           .counts_no_buffer = true,
           .brings_queues = true},
    Driver{.name = "net_null",
           .kind = DriverKind::software,
           .counts_missed = true,
           .counts_errors = true,
           .counts_no_buffer = true},

    // From documentation and sources of DPDK 22.11 only; not one of these was measured here.
    //
    // Frames that the queues had no room for are read from the card's own registers.
    hardware("net_bnxt"),
    hardware("net_cxgbe"),
    hardware("net_e1000_em"),
    hardware("net_e1000_igb", Stamp::device),
    hardware("net_enic"),
    hardware("net_i40e", Stamp::device),
    hardware("net_iavf", Stamp::device),
    hardware("net_ice", Stamp::device),
    hardware("net_igc", Stamp::device),
    hardware("net_ixgbe", Stamp::device),
    hardware("net_qede"),
    hardware("net_sfc_efx"),
    hardware("mlx5_pci", Stamp::device),
    hardware("net_mlx5", Stamp::device),
    // Told by the hypervisor in its keep-alive messages or its shared queue page.
    hardware("net_ena"),
    hardware("net_vmxnet3"),
    // The host drops uncounted for us.
    blind("net_virtio"),
    blind("net_virtio_user"),
    blind("net_netvsc"),
    blind("net_ixgbe_vf"),
    blind("net_e1000_igb_vf"),
    blind("net_mlx4"),
    Driver{.name = "net_tap", .kind = DriverKind::interface, .counts_no_buffer = true},
    Driver{.name = "net_memif", .kind = DriverKind::software, .counts_no_buffer = true},
};

}  // namespace

Driver find_driver(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(kDrivers, name, &Driver::name);
    if (found != kDrivers.end()) {
        return *found;
    }
    return {.name = name, .stamp = Stamp::device, .is_known = false};
}

}  // namespace curlew::dpdk_port

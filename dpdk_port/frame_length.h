#pragma once

#include <cstdint>
#include <span>

// How long a frame was that came cut.

namespace curlew::dpdk_port {

// DPDK's net_pcap takes so many octets of an interface's frame, and gives them out as all of it
// (RTE_ETHER_MAX_JUMBO_FRAME_LEN).
inline constexpr uint32_t kLongestOverPcap = 16'128;

// By the IP header behind Ethernet's and up to two VLAN tags; as long as the octets where there is
// none, or it tells less.
uint32_t frame_octets_by_ip(std::span<const uint8_t> frame) noexcept;

}  // namespace curlew::dpdk_port

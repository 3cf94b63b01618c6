#pragma once

#include <cstdint>
#include <string>
#include <vector>

// What devices of a home say, for `curlew bench`: DNS, multicast DNS, SSDP, NTP, TLS, HTTP, CoAP,
// MQTT and DHCP; eight packets a flow, 160 octets a packet, a third of them IPv6.

namespace curlew::cli {

// Ethernet frames of one home in order of time. Same seed, same octets.
std::vector<std::string> iot_frames(uint64_t seed);

}  // namespace curlew::cli

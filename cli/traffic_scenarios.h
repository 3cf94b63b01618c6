#pragma once

#include <cstdint>
#include <string_view>

#include "cli/traffic_writer.h"

namespace curlew::cli {

// A label of both groups, spelt as published.
inline constexpr std::string_view kMembershipReport = "Membership Report Group";
inline constexpr uint16_t kDnsPort = 53;
inline constexpr uint8_t kIgmpReport = 0x16;

// Group ikea-app: gateway 192.168.3.213, phone 192.168.3.177, router and name server 192.168.3.1.
void play_gateway_boot(TrafficCapture& capture);

// Group ipcam: camera 192.168.5.20, its NAS, router and name server 192.168.5.1.
void play_camera_minutes(TrafficCapture& capture);

}  // namespace curlew::cli

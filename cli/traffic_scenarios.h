#pragma once

#include "cli/traffic_writer.h"

namespace curlew::cli {

// Group ikea-app: gateway 192.168.3.213, phone 192.168.3.177, router and name server 192.168.3.1.
void play_gateway_boot(TrafficCapture& capture);

// Group ipcam: camera 192.168.5.20, its NAS, router and name server 192.168.5.1.
void play_camera_minutes(TrafficCapture& capture);

}  // namespace curlew::cli

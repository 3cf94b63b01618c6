#pragma once

#include <chrono>
#include <string>

// What a service tells the service manager (sd_notify). Without one, all of it does nothing.

namespace curlew::proto {

void notify_ready();
void notify_status(const std::string& sentence);
void notify_reloading();
void notify_stopping();
void notify_alive();  // feeds the watchdog

// How often notify_alive() is wanted: half the manager's patience; 0: not at all.
std::chrono::microseconds watchdog_interval();

}  // namespace curlew::proto

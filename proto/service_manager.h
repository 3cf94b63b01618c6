#pragma once

#include <chrono>
#include <string>

// What a service tells the service manager, as sd_notify(3) describes. Without one, all of it does
// nothing. One that does not read is not waited for, but a second with what is said only once.

namespace curlew::proto {

void notify_ready();
void notify_status(const std::string& sentence);
void notify_reloading();
void notify_stopping();
void notify_alive();  // feeds the watchdog

// How often notify_alive() is wanted: half the manager's patience; 0: not at all.
std::chrono::microseconds watchdog_interval();

}  // namespace curlew::proto

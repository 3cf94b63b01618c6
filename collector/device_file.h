#pragma once

#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/found_devices.h"
#include "collector/json_output.h"

// The devices of a dataset: the member `devices` of its manifest, which the index holds, and the
// same as a file of its own beside it. DATASET.md has the members.

namespace curlew::collector {

inline constexpr const char* kDevicesSuffix = ".devices.json";
// Of a dataset: more are counted, not listed.
inline constexpr size_t kMaximumListedDevices = 10'000;
// No device is listed behind so many octets: a manifest is read whole.
inline constexpr size_t kMaximumListedOctets = size_t{4} << 20;

using ManifestOutput = JsonOutput<rapidjson::PrettyWriter<rapidjson::StringBuffer>>;

// The members `devices_found`, `devices_complete` and `devices`.
void write_devices(ManifestOutput& json, const DeviceList& list);

// The file that belongs to a manifest; nothing when the manifest tells no devices.
std::optional<std::string> device_file_of(std::string_view manifest);

// What labels need of it: all but times, names and roles. Nothing when it is none.
std::optional<std::vector<Device>> parse_device_file(std::string_view text);

}  // namespace curlew::collector

#pragma once

#include <string_view>

#include "collector/json_line.h"

// The member `ssh` of a record: what both ends say before they encrypt (RFC 4253). DATASET.md says
// what its members mean.

namespace curlew::collector {

// `client` and `server` are the beginnings of the two octet streams, in order; either may be empty
// and both may end anywhere. Without a banner nothing is written. False when octets contradict
// themselves: the object then says `malformed`.
bool write_ssh(JsonLine& json, std::string_view client, std::string_view server);

}  // namespace curlew::collector

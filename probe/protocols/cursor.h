#pragma once

#include <cstdint>
#include <span>

#include "proto/octet_cursor.h"

namespace curlew::probe {

using Cursor = proto::OctetCursor<std::span<const uint8_t>>;

}  // namespace curlew::probe

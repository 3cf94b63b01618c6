#pragma once

#include <string_view>

#include "proto/octet_cursor.h"

namespace curlew::collector {

using Cursor = proto::OctetCursor<std::string_view>;

}  // namespace curlew::collector

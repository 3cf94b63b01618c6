// What nearly every source of the collector includes, compiled once. A source includes what it uses
// all the same, which -Db_pch=false shows.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "collector/hash_map.h"
#include "proto/flow.pb.h"

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "probe/spool.h"

// Reads what an earlier run left in a spool: what is whole, whatever else is in its files.

namespace curlew::probe {

// Of one epoch, whose segments these are, by their first sequence. Empty: a collector has all, or
// nothing can be delivered. Sentences go to `problems`, also of files that cannot be read.
std::vector<SpooledRun> spooled_runs(const std::filesystem::path& folder,
                                     uint64_t epoch,
                                     const std::map<uint64_t, std::filesystem::path>& segments,
                                     std::vector<std::string>& problems);

}  // namespace curlew::probe

#pragma once

#include <filesystem>
#include <string>
#include <vector>

// What a start does with seal states (seal_state.h) that cannot be read.

namespace curlew::collector {

// Without its state nobody knows what of an epoch is sealed, and nothing may be sealed twice: the
// state and the epoch's journals get `.damaged` behind their names, with one sentence in
// `problems`. The others go on. Throws std::runtime_error with one sentence on an I/O failure, and
// for a state of another version.
void set_damaged_states_aside(const std::filesystem::path& folder,
                              std::vector<std::string>& problems);

}  // namespace curlew::collector

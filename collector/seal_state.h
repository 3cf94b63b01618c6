#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/dataset_file.h"

// How far an epoch's journal is sealed, in ARCHIVE/open/<probe>-<epoch>.sealed. This file is what
// makes a seal job happen once: it is replaced as a whole, and with that its datasets, which wait
// as finished files beside it, are bound to be published, and their records will never be sealed
// again. A crash before it leaves the journal as it was, a crash after it leaves datasets that the
// next start publishes.

namespace curlew::collector {

// A finished dataset that has no name yet.
struct Publication {
    std::string part;  // file in the folder of the state
    std::string group;
    std::string scenario;
    std::string name;  // its number follows
    Encoding encoding = Encoding::json;
    DatasetSums sums;
    std::string manifest;
};

struct SealState {
    uint64_t all_through = 0;  // every record up to here is sealed
    // Length of a window in minutes, for configurations change, and its start, to the last sequence
    // up to which every record of it is sealed.
    std::map<std::pair<uint32_t, uint64_t>, uint64_t> marks;
    bool final_ledger_sealed = false;  // some manifest has it
    bool unclean_end_sealed = false;   // some manifest tells it, and nothing came since
    std::vector<Publication> publications;

    bool covers(uint64_t sequence, uint64_t end_ns) const;
    // The last sequence that is sealed of a window; 0: none.
    uint64_t sealed_through(uint32_t minutes, uint64_t window_ns) const;
    void mark(uint32_t minutes, uint64_t window_ns, uint64_t through);
    // Marks say nothing that matters when no record before `sequence` is left.
    void forget_before(uint64_t sequence);
};

inline constexpr std::string_view kSealStateSuffix = ".sealed";

// What stands in the file is no state of any version.
class SealStateError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

std::filesystem::path seal_state_path(const std::filesystem::path& folder,
                                      const std::string& probe,
                                      uint64_t epoch);

// All throw std::runtime_error with one sentence. No file: nothing is sealed. This also throws
// SealStateError.
SealState load_seal_state(const std::filesystem::path& path);
// Durable once it returns; the file is the old one or the new one, whatever happens.
void save_seal_state(const std::filesystem::path& path, const SealState& state);

}  // namespace curlew::collector

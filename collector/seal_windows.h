#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "collector/config.h"
#include "collector/device_groups.h"
#include "collector/journal.h"
#include "collector/line_memory.h"
#include "collector/loss_spans.h"
#include "collector/record_sorter.h"
#include "collector/seal.h"

// Sealing of a live line: from closed files of a journal to one dataset for each window and group.
//
// A job happens once or not at all (seal_state.h): its datasets are written as temporary files,
// then the state that names them replaces the one before, then they are published. What a crash or
// a full disk left between the two is published by the next job of the epoch, or at the next start.

namespace curlew::collector {

struct SealJob {
    EpochFacts facts;               // newest ledger and gaps as they are now
    std::vector<ClosedFile> files;  // those with records to seal
    uint64_t first_sequence = 1;    // the first that may still be in a file
    uint32_t minutes = 0;
    // Starts of windows, in order. Every record in the files with one of them is sealed.
    std::vector<uint64_t> windows;
    bool all_windows = false;                 // there are no others in the files
    uint64_t through = 0;                     // the last sequence that is durable
    std::string unclean_end;                  // one sentence, for the manifests; empty: none
    std::optional<LossSpan> lost_at_the_end;  // of an unclean end
};

// Once the job is done: what the line said of itself until then labels no record that is yet to
// come, but of a flow longer than ten minutes and the probe's active timeout. 0: that cannot be
// told.
uint64_t forgotten_before_ns(const SealJob& job);

// What the sealing side holds between two configurations.
struct SealSetup {
    CollectorConfig config;
    const DeviceGroups& groups;
    std::string program_version;
};

struct SealedWindows {
    uint64_t datasets = 0;
    uint64_t records = 0;
    Tally records_refused;          // by BatchError: received and in no dataset
    uint64_t datasets_removed = 0;  // to make room
    uint64_t octets_removed = 0;    // of those
    bool final_ledger = false;      // it is in a manifest now
    bool unclean_end = false;       // likewise
};

// What was sealed is written, and its place in the archive is decided; it could not be put there
// yet. The next job does, and counts none of it.
class NotYetPublished : public std::runtime_error {
  public:
    NotYetPublished(const std::string& cause, SealedWindows what)
        : std::runtime_error(cause), sealed(std::move(what)) {}

    SealedWindows sealed;
};

// Where journals, states and temporary files are: ARCHIVE/open.
std::filesystem::path open_folder(const std::filesystem::path& archive);

// `memory` is the probe's and takes the records. Throws std::runtime_error with one sentence,
// NotYetPublished among them; what was sealed is then sealed, what was not is where it was, and the
// job can be tried again, also as part of a larger one. Deletes no journal.
SealedWindows seal_windows(const SealJob& job,
                           const SealSetup& setup,
                           LineMemory& memory,
                           size_t sort_memory_octets = RecordSorter::kDefaultMemoryOctets);

// For a start, before any journal is taken up: publishes what earlier runs were bound to publish,
// and removes temporary files. Returns the states whose datasets could not be, which the next job
// of their epoch tries again, each with a sentence in `problems`. Throws as seal_windows().
std::set<std::filesystem::path> complete_publications(const std::filesystem::path& archive,
                                                      std::vector<std::string>& problems);

}  // namespace curlew::collector

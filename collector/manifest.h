#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/dataset_config.h"
#include "collector/dataset_file.h"
#include "collector/journal_reader.h"
#include "collector/loss_spans.h"
#include "collector/seal.h"
#include "collector/window.h"

// The manifest of a sealed dataset: everything its bytes follow from, and what was not seen. It
// holds no clock time, no number of workers, no path of a machine and not the name its file got, so
// that one capture with one configuration gives one manifest, octet for octet.

namespace curlew::collector {

inline constexpr int kManifestSchema = 1;
inline constexpr uint64_t kLongestManifest = uint64_t{64} << 20;

// What only a dataset of a live line has.
struct LiveFacts {
    std::optional<Window> window;  // nothing: one window for everything
    const EpochFacts& epoch;
    std::string unclean_end;                  // one sentence; empty: none
    std::optional<LossSpan> lost_at_the_end;  // of an unclean one
    // Losses that overlap this are told.
    LossSpan reach{0, UINT64_MAX};
};

struct ManifestInput {
    const DatasetConfig& config;
    Encoding encoding;
    uint64_t first_sequence;  // 0: nothing was received
    uint64_t last_sequence;
    const SealResult& sealed;
    const LiveFacts* live;  // null: of a capture
};

std::string render_manifest(const ManifestInput& input);

// What a live dataset says of the epoch that its records are of. Over all datasets of an epoch that
// has a final ledger:
//   received <= sent <= received + sequences in gaps          equal when there are no gaps
struct EpochManifest {
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    // All records of the dataset's window and group with these sequences are in it; 0: it has none.
    uint64_t first_sequence = 0;
    uint64_t last_sequence = 0;
    uint64_t records_received = 0;
    std::vector<Gap> gaps;      // all that were known then
    bool final_ledger = false;  // nothing follows
    uint64_t records_sent = 0;  // by the newest ledger then; 0 without one
};

// What a dataset's file is held against.
struct ManifestFacts {
    std::string preset;
    Encoding encoding = Encoding::json;
    uint64_t records = 0;
    DatasetSums sums;
    bool ledgers_close = false;  // packets and records of both halves add up
    std::optional<EpochManifest> live;
};

// Nothing when the text is no manifest of this schema.
std::optional<ManifestFacts> parse_manifest(std::string_view text);

}  // namespace curlew::collector

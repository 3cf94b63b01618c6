#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/dataset_config.h"
#include "collector/dataset_file.h"
#include "collector/seal.h"

// The manifest of a sealed dataset: everything its bytes follow from, and what was not seen. It
// holds no clock time, no number of workers, no path of a machine and not the name its file got, so
// that one capture with one configuration gives one manifest, octet for octet.

namespace curlew::collector {

inline constexpr int kManifestSchema = 1;
inline constexpr uint64_t kLongestManifest = uint64_t{16} << 20;

struct ManifestInput {
    const DatasetConfig& config;
    Encoding encoding;
    uint64_t first_sequence;  // 0: nothing was received
    uint64_t last_sequence;
    const SealResult& sealed;
};

std::string render_manifest(const ManifestInput& input);

// What a dataset's file is held against.
struct ManifestFacts {
    Encoding encoding = Encoding::json;
    uint64_t records = 0;
    DatasetSums sums;
    bool ledgers_close = false;  // packets and records of both halves add up
};

// Nothing when the text is no manifest of this schema.
std::optional<ManifestFacts> parse_manifest(std::string_view text);

}  // namespace curlew::collector

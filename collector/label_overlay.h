#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "collector/dataset_file.h"
#include "signatures/content_rules.h"
#include "signatures/group_rules.h"

// Labels of a sealed dataset by other signatures, without packets: a file beside it,
// NAME.labels-<16 hex digits>.json, for a sealed file never changes. DATASET.md has its form.
//
// Evaluated again are payload signatures that hit (by their id), all names, the decoded fields that
// the record holds, the first packets, ports, and the devices' evidence. What no record holds
// cannot be found: a new payload signature, or a field in a record of field set slim.

namespace curlew::collector {

inline constexpr const char* kOverlayMark = ".labels-";

struct OverlaySummary {
    std::filesystem::path file;
    uint64_t records = 0;
    uint64_t changed = 0;  // whose label is another one now
    // "type tls -> quic", by how many records; members type, protocol, service, activity, device
    // and the strongest evidence.
    std::map<std::string, uint64_t> differences;
};

// The dataset's preset is one whose records hold no labels.
struct NoLabels : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// `manifest` is a sealed dataset's. Writes the overlay durably, over one of the same rules. Throws
// NoLabels, or std::runtime_error, with one sentence.
OverlaySummary write_overlay(const std::filesystem::path& manifest,
                             const signatures::GroupRules& group,
                             const signatures::ContentRules& rules);

// A sealed dataset as an overlay stands beside it.
struct OverlaidDataset {
    std::filesystem::path file;
    Encoding encoding = Encoding::json;
    std::string content_sha256;
};

// Empty, or one sentence on what is wrong with an overlay of that dataset: its head, its sum, or
// that it has not a label for each record in the dataset's order. Throws as read_dataset().
std::string check_overlay(const std::filesystem::path& file, const OverlaidDataset& dataset);

}  // namespace curlew::collector

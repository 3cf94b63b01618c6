#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "collector/annotator.h"
#include "collector/dataset_config.h"
#include "collector/dataset_file.h"
#include "collector/found_devices.h"
#include "collector/metadata_fields.h"
#include "collector/record_sorter.h"
#include "proto/flow.pb.h"

// Sealing: from the frames of an open segment to a sorted, annotated, hashed dataset under its
// final name, with manifest and index entry.

namespace curlew::collector {

using Tally = std::map<std::string, uint64_t>;

// The collector's half of the ledger: received = refused + not selected + not first + written.
struct RecordCounts {
    uint64_t received = 0;      // in whole frames of the segment
    Tally refused;              // by BatchError
    uint64_t not_selected = 0;  // the selection expression does not hold
    uint64_t not_first = 0;     // a later record where first ones alone were asked for
    uint64_t written = 0;
};

struct SealResult {
    std::filesystem::path path;  // of the dataset's file
    std::filesystem::path manifest;
    bool already_sealed = false;   // an equal dataset was there; nothing was changed
    uint64_t records_created = 0;  // by the probe
    uint64_t records_written = 0;
    uint64_t records_not_selected = 0;  // by expression, and later records where first was asked
    RecordCounts records;
    Tally flow_types;  // of the records written
    Tally labels;      // label.type
    Tally evidence;    // kind of the strongest evidence
    MetadataCounts metadata;
    std::optional<DeviceList> devices;  // see FoundDevices; preset joy-3.0.3 has none
    DatasetSums sums;
    std::optional<proto::ProbeLedger> ledger;  // nothing: the input ended without one
};

// Throws std::runtime_error with one sentence; the segment is then as it was and nothing else is
// left. Requires: nobody writes the segment. Does not remove it.
SealResult seal(const DatasetConfig& config,
                const LabelRules& rules,
                const std::filesystem::path& segment,
                size_t sort_memory_octets = RecordSorter::kDefaultMemoryOctets);

}  // namespace curlew::collector

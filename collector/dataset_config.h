#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/record_writer.h"

namespace curlew::collector {

// What the manifest says of the capture. Everything empty or 0: not from a capture.
struct CaptureFacts {
    std::string file;     // its name; a path in front of it is dropped
    std::string sha256;   // of the file as it lies there, 64 hex digits
    uint64_t octets = 0;  // length of the file
    std::string link_type;
    bool nanosecond = false;  // its stamps have nanoseconds
};

// What DatasetConfig::preset may be.
inline constexpr std::string_view kCurlewPreset = "curlew";
inline constexpr std::string_view kJoyPreset = "joy-3.0.3";

enum class RecordChoice : uint8_t {
    all,
    first,  // of each flow its first record alone; in preset joy-3.0.3 of each 5-tuple
};

// One dataset: where it goes, what is in it, and what its manifest tells of its making.
struct DatasetConfig {
    std::filesystem::path archive;
    std::string group;  // names of folders and file; see Collector for what a name may be
    std::string scenario;
    std::string name;
    std::string preset{kCurlewPreset};
    FieldSet fields = FieldSet::full;  // of preset curlew
    bool compress = false;             // zstd
    std::string selection;             // selection.h; empty: everything
    RecordChoice records = RecordChoice::all;

    CaptureFacts capture;
    // What else shaped the records, in the order of the manifest; no paths, no clock, no workers.
    std::vector<std::pair<std::string, std::string>> configuration;
    std::string ruleset_hash;     // GroupRules::content_hash
    std::string signatures_hash;  // SignatureSet::content_hash
    uint64_t vocabulary = 0;      // version of the labels' words; 0: none
    std::string program_version;
    uint64_t probe_id = 0;  // the one probe whose frames are taken
    uint64_t epoch = 0;
};

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

// `curlew annotate`: adds `flow_type`, the published rules' label of a group, to existing Joy
// records. It is added as the last key and spelled as the record spells its own members; every
// other octet is left as read.
//
// A record that has `flow_type` as its last key gets the new value in that place; anywhere else it
// cannot become the last key without moving other octets, and the file is refused. The first
// object of a file passes unchanged when it holds Joy's settings (it has no `sa`), and so do lines
// of white space.

namespace curlew::cli {

struct AnnotateConfig {
    std::vector<std::filesystem::path> inputs;  // JSON lines; plain, gzip or zstd
    std::filesystem::path groups_folder;        // of <group>.toml
    std::string group;
    std::filesystem::path output;  // folder, made when missing
};

struct AnnotateSummary {
    uint64_t files = 0;
    uint64_t records = 0;
    std::map<std::string, uint64_t> flow_types;  // records by label
};

// The group is not known or has no published rules: a wrong command line.
class UnknownGroup : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Writes OUTPUT/<name of the input without .gz or .zst> for each input, whole or not at all, and
// never over an existing file. The first input that is refused ends it with std::runtime_error of
// one sentence; files finished before stay.
AnnotateSummary annotate(const AnnotateConfig& config);

}  // namespace curlew::cli

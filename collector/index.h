#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "collector/durable_file.h"

// ARCHIVE/index.jsonl: one line per sealed dataset, chained, so that no line can be changed, taken
// out or put in unseen. Each line holds
//
//     {"manifest":"GROUP/SCENARIO/NAME.manifest.json","sha256":"...","previous":"..."}
//
// `sha256` is the manifest's, `previous` that of the line before without its newline, 64 zeros in
// the first line. A crash may leave a last line without newline: it was never promised and goes.

namespace curlew::collector {

inline constexpr const char* kIndexName = "index.jsonl";
inline constexpr const char* kManifestSuffix = ".manifest.json";
inline constexpr uint64_t kLongestIndex = uint64_t{1} << 30;

struct IndexEntry {
    std::string manifest;  // path within the archive
    std::string sha256;
    std::string previous;
};

std::string first_previous();

// Nothing when the line is no entry.
std::optional<IndexEntry> parse_index_line(std::string_view line);

class ArchiveIndex {
  public:
    // Opens the index of the archive, makes it if there is none, and waits for other processes to
    // be done with it: until destruction nobody else publishes. Throws std::runtime_error with one
    // sentence, as append does.
    explicit ArchiveIndex(const std::filesystem::path& archive);

    // The manifest's hash as the index has it; nothing when it is not listed.
    std::optional<std::string> sha256_of_manifest(const std::string& manifest) const;

    // Durable once it returns. Requires: the manifest is not listed.
    void append(const std::string& manifest, const std::string& sha256);

  private:
    std::filesystem::path path_;
    FileDescriptor file_;
    std::map<std::string, std::string> listed_;
    std::string previous_;
};

}  // namespace curlew::collector

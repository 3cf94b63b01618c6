#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "collector/digest.h"
#include "collector/durable_file.h"
#include "collector/hash_map.h"

// ARCHIVE/index.jsonl: one line per sealed dataset, chained, so that no line can be changed, taken
// out or put in unseen. Each line holds
//
//     {"manifest":"GROUP/SCENARIO/NAME.manifest.json","sha256":"...","previous":"..."}
//
// `sha256` is the manifest's, `previous` that of the line before without its newline, 64 zeros in
// the first line. A dataset that was removed has a second line, its tombstone:
//
//     {"removed":"GROUP/SCENARIO/NAME.manifest.json","sha256":"...","records":1,"received":1,
//      "octets":1,"probe":"...","epoch":"...","previous":"...","sum":"..."}
//
// `records` were in it, `received` of the probe's went into it, `octets` were those of its file;
// `probe` and `epoch` are 16 hex digits each, empty for a dataset of a capture. `sum` is the
// SHA-256 of the line up to its comma: nothing else is left that could say the same, and no line
// follows the last one. Lines are written exactly so, without blanks. A crash may leave a last line
// without newline: it was never promised and goes.
//
// ARCHIVE/index.head: how many lines there are at least, 20 digits, and the sum of the last of
// these, so that the end of the index cannot go unseen; lines of what was removed have no file that
// would miss them. It is written behind each line and may lag behind it after a crash, or be none.
// Nothing is added to an index that one contradicts: restored, or without its head, it goes on.

namespace curlew::collector {

inline constexpr const char* kIndexName = "index.jsonl";
inline constexpr const char* kIndexHeadName = "index.head";
inline constexpr const char* kManifestSuffix = ".manifest.json";
// Verify holds it in memory. No name of an archive makes a line so long.
inline constexpr uint64_t kLongestIndex = uint64_t{4} << 30;
inline constexpr size_t kLongestIndexLine = size_t{64} << 10;

// What is left of a removed dataset.
struct Tombstone {
    uint64_t records = 0;
    uint64_t received = 0;
    uint64_t octets = 0;
    std::string probe;
    std::string epoch;
};

struct IndexEntry {
    std::string manifest;  // path within the archive
    std::string sha256;
    std::string previous;
    std::optional<Tombstone> tombstone;  // present: the dataset was removed
};

std::string first_previous();

struct IndexHead {
    uint64_t lines = 0;
    std::string last;  // of line `lines`; first_previous() where that is 0
};

std::string index_head_text(const IndexHead& head);
// Nothing when the text is not what index_head_text() makes of a head.
std::optional<IndexHead> parse_index_head(std::string_view text);

// The line of an entry, without its newline.
std::string index_line(const IndexEntry& entry);

// Nothing when the line is not what index_line() makes of an entry.
std::optional<IndexEntry> parse_index_line(std::string_view line);

// A line could neither be made durable nor taken back.
class UncertainIndex : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class ArchiveIndex {
  public:
    // Opens the index of the archive, makes it if there is none, and waits for other processes to
    // be done with it: until destruction nobody else publishes. Throws std::runtime_error with one
    // sentence, as append does.
    explicit ArchiveIndex(const std::filesystem::path& archive);

    // The manifest's hash as the index has it; nothing when it is not listed.
    std::optional<std::string> sha256_of_manifest(const std::string& manifest) const;

    // A removed dataset stays listed: its name is never free again.
    bool is_removed(const std::string& manifest) const;

    // What is there, in order of sealing; likewise.
    std::vector<IndexEntry> present() const;
    // What was removed, in order of removal, without what each line says of the one before.
    const std::vector<IndexEntry>& removed() const noexcept { return removed_; }

    // Every line that is there is durable once it returns.
    void sync();

    // Durable once it returns; when it throws, the line is gone for certain, or, with
    // UncertainIndex, may be there or not. Requires: the manifest is not listed.
    void append(const std::string& manifest, const std::string& sha256);

    // The same. Requires: the manifest is listed and not removed.
    void append_tombstone(const std::string& manifest, const Tombstone& tombstone);

  private:
    struct Listed {
        std::string sha256;
        bool is_removed = false;
    };

    // All lines to the last whole one, behind which nothing is left. An index grows for years, so
    // that little is kept of each.
    void read_lines(const std::optional<IndexHead>& head);
    void take_line(std::string_view line);
    void append_line(const std::string& line);
    std::optional<IndexHead> read_head() const;
    void write_head() noexcept;

    std::filesystem::path path_;
    FileDescriptor file_;
    OctetMap<Listed> listed_;
    std::vector<const OctetMap<Listed>::value_type*> in_order_;
    std::vector<IndexEntry> removed_;
    std::string previous_;
    Sha256 digest_;
    // Whoever wrote the last line may have died before it was durable, or of a sync that failed, so
    // it is written once more with the next one.
    std::string last_line_;
    uint64_t last_line_at_ = 0;
    uint64_t lines_ = 0;
};

}  // namespace curlew::collector

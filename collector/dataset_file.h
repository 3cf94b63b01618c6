#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "collector/bulk_file.h"
#include "collector/chunk_pipe.h"
#include "collector/digest.h"
#include "collector/durable_file.h"

// The file of a sealed dataset: JSON lines, plain or as one zstd frame (RFC 8878, with checksum),
// hashed on its way out. The only place for zstd. What a long one takes, to hash, compress and
// write it, another thread does while the next lines are made.

namespace curlew::collector {

enum class Encoding : uint8_t { json, json_zstd };

// What follows the dataset's name: ".json" or ".json.zst".
const char* suffix_of(Encoding encoding) noexcept;

struct DatasetSums {
    uint64_t octets = 0;          // of the file
    std::string sha256;           // of the file
    uint64_t content_octets = 0;  // of the JSON lines
    // Of the JSON lines. Records hold nothing about where or how they were made, so this names what
    // was seen: an equal sum means equal records, however they are stored.
    std::string content_sha256;
};

class DatasetWriter {
  public:
    // `path` is a temporary name. Throws std::runtime_error, as all here do on an I/O failure.
    DatasetWriter(const std::filesystem::path& path, Encoding encoding);
    ~DatasetWriter();

    void write(std::string_view line);

    // Flushes and syncs; the caller renames.
    DatasetSums finish();

  private:
    struct Compressor;

    void compress(std::string_view lines, bool last);

    uint64_t content_octets_ = 0;
    // The pipe's thread uses all but the pipe, until that has finished.
    BulkFile file_;
    uint64_t file_octets_ = 0;
    std::unique_ptr<Compressor> compressor_;  // null: plain
    Sha256 file_digest_;
    Sha256 content_digest_;  // of a plain file never used: its sum is the file's
    ChunkPipe lines_;
};

// Reads a dataset's file and tells both sums; `on_line` gets each line without its newline.
// Throws std::runtime_error with one sentence: unreadable, not zstd, a line longer than 16 MiB, or
// a last line without newline.
DatasetSums read_dataset(const std::filesystem::path& path,
                         Encoding encoding,
                         const std::function<void(std::string_view)>& on_line);

}  // namespace curlew::collector

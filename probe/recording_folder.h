#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/file_handle.h"

// The files of a probe's recording: made, completed, recovered after a crash, removed when they are
// too many. RECORDING.md describes them.
//
// FOLDER/<probe>-<UTC start>-<epoch>-<number>.pcapng: complete, durable, never changed again; with
// `.open` behind it while packets are added. FOLDER/.lock: held by the one probe that writes there.
// Somebody may remove or move the folder meanwhile: it is then made again.

namespace curlew::probe {

// When a file is completed and the next one begins.
struct RecordingRotation {
    uint32_t minutes = 10;                // of packet time, 0: by size and at the end only
    uint64_t octets = uint64_t{1} << 30;  // of a file; 0: by time and at the end only
};

// What is kept, each 0 for no bound: the files that were complete first go first.
struct RecordingRetention {
    uint32_t days = 0;                      // since a file was complete
    uint64_t octets = 0;                    // of all files together, the open one among them
    uint64_t min_free = uint64_t{1} << 30;  // that stay free on the file system
};

// A file that packets are added to. One thread calls everything.
class RecordingFile {
  public:
    // Throws std::runtime_error with one sentence.
    explicit RecordingFile(std::filesystem::path path);

    // Adds whole blocks. Throws std::runtime_error with one sentence when the disk does not take
    // them: complete() then leaves the file at the block before.
    void append(std::span<const uint8_t> blocks);

    // It still has its name. Any other file there is not this one.
    bool is_there() const noexcept;

    // Makes the file durable and gives it its name. Throws std::runtime_error with one sentence;
    // the file then keeps `.open` for the next start. Call once.
    void complete();

    // Removes it instead. Throws std::runtime_error with one sentence.
    void discard();

    uint64_t octets() const noexcept { return octets_; }

  private:
    std::filesystem::path path_;
    proto::FileHandle file_;
    uint64_t octets_ = 0;
    uint64_t writing_back_ = 0;  // up to here the disk was told to begin
};

// One thread calls everything.
class RecordingFolder {
  public:
    // Makes and locks it. Throws std::runtime_error with one sentence, also when another probe
    // holds it.
    RecordingFolder(std::filesystem::path path, const RecordingRetention& keep);

    // What an ended probe left open is cut to its last whole block and completed, or removed where
    // it has no packet. A sentence for each file, and on each that cannot be.
    std::vector<std::string> recover();

    // Makes and locks the folder again where it is no longer the one that was locked; true when it
    // had to. Throws std::runtime_error with one sentence.
    bool restore();

    // Removes files while a bound is passed, or would be when the open file, of `open_octets`, has
    // got `least` octets more; `open` is its name, which ends in `.open`, empty when there is none.
    // Others of such a name could not be completed, and go like those that were. Returns how many
    // more it may get before this is called again, from `least` to `most`; nothing when no file is
    // left to remove and still too little is free. Throws std::runtime_error. `now_ns` is wall
    // time, 0: it is not known. Requires: 0 < `least`
    // <= `most`.
    std::optional<uint64_t> keep_bounds(const std::string& open,
                                        uint64_t open_octets,
                                        uint64_t least,
                                        uint64_t most,
                                        uint64_t now_ns);

    const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
    RecordingRetention keep_;
    std::optional<proto::FileHandle> lock_;  // always there; another one after restore()
};

}  // namespace curlew::probe

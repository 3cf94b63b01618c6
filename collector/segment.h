#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "collector/durable_file.h"
#include "proto/frame.h"

// The `.open` segment: frames exactly as they were received, one after the other (proto/frame.h).
// Recovery has one rule: what counts is the longest prefix of whole frames.

namespace curlew::collector {

// Reads frames until the first that is torn or damaged.
class SegmentReader {
  public:
    // Throws std::runtime_error with one sentence when the file cannot be read.
    explicit SegmentReader(const std::filesystem::path& path);

    // False at the end of the valid prefix. The frame points into the reader until the next call.
    bool next(proto::FrameView& frame);

    // Octets of the frames read so far.
    uint64_t valid_octets() const noexcept { return valid_octets_; }

    // After next() returned false: true when octets follow that are no whole frame.
    bool is_torn() const noexcept { return begin_ < end_; }

  private:
    bool fill();

    InputFile input_;
    std::unique_ptr<char[]> buffer_;
    size_t begin_ = 0;  // of what is not yet read in buffer_
    size_t end_ = 0;
    uint64_t valid_octets_ = 0;
};

class Segment {
  public:
    // Opens the file and locks it against other processes until destruction. What an earlier run
    // left is kept up to its last whole frame, and made durable. Throws std::runtime_error with one
    // sentence, also when another process writes it.
    explicit Segment(const std::filesystem::path& path);

    // Requires: whole frames. Throws std::runtime_error on an I/O failure; the file is then still
    // recoverable.
    void append(std::span<const uint8_t> frames);

    // Forgets what lies behind the first `octets`. Throws as append().
    void cut(uint64_t octets);

    // Everything appended survives a crash once this returns.
    void sync();

    const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
    FileDescriptor file_;
};

}  // namespace curlew::collector

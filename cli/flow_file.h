#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

// Files of flow records, one JSON object a line; plain, gzip or zstd, told apart by their first
// octets and never by their name.

namespace curlew::probe {
class CaptureStream;
}

namespace curlew::cli {

// Reads a file line by line, octet for octet, in bounded memory. Everything that is wrong with the
// file throws std::runtime_error with one sentence that names it.
class FlowFile {
  public:
    // A longer line is refused: no record comes near, and memory stays bounded.
    static constexpr size_t kMaximumLineOctets = 64u << 20;

    explicit FlowFile(const std::filesystem::path& path);
    ~FlowFile();
    FlowFile(const FlowFile&) = delete;
    FlowFile& operator=(const FlowFile&) = delete;

    // The next line as it stands, with its line feed if it has one (the last line of a file may
    // not). False after the last. `line` is good until the next call.
    bool next_line(std::string_view& line);

    // Of the line last returned, from 1.
    uint64_t line_number() const noexcept { return line_number_; }

    // "path:line: cause", for the sentence that refuses the file.
    std::string sentence(std::string_view cause) const;

  private:
    bool read_more();

    std::filesystem::path path_;
    std::unique_ptr<probe::CaptureStream> stream_;
    std::string buffer_;
    size_t begin_ = 0;    // of the line after the one last returned, in buffer_
    size_t scanned_ = 0;  // buffer_ holds no line feed between begin_ and here
    uint64_t line_number_ = 0;
};

// True for a line of white space alone.
bool is_blank(std::string_view line) noexcept;

// The path without .gz or .zst at its end.
std::filesystem::path without_compression(const std::filesystem::path& path);

}  // namespace curlew::cli

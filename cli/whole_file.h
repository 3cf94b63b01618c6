#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "collector/durable_file.h"

namespace curlew::cli {

// A file that appears under its name whole and on disk, or not at all: written as <name>.open
// beside it and renamed by finish(). Without finish() nothing is left; what a process left that was
// killed is written over. All members throw std::runtime_error with one sentence that names the
// file, also while another process writes it.
class WholeFile {
  public:
    // Requires: the folder exists.
    explicit WholeFile(const std::filesystem::path& path);
    ~WholeFile();
    WholeFile(const WholeFile&) = delete;
    WholeFile& operator=(const WholeFile&) = delete;

    void write(std::string_view octets);

    // Writes the rest, syncs the file, gives it its name and syncs the folder. Refuses when
    // something has taken the name meanwhile. Nothing is written after it.
    void finish();

  private:
    void flush();
    void give_name();

    std::filesystem::path path_;
    std::filesystem::path open_path_;
    collector::FileDescriptor file_;
    std::string buffer_;
    bool finished_ = false;
};

}  // namespace curlew::cli

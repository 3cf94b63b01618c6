#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "collector/chunk_pipe.h"
#include "collector/durable_file.h"

namespace curlew::collector {

// A long file written from its beginning, past the page cache where the file system can (O_DIRECT):
// to copy gigabytes into memory that nobody reads soon costs more than to make them, and takes the
// memory of those who do read. A short file is written as any other.
class BulkFile {
  public:
    // Replaces what is there. Throws std::runtime_error, as the others do.
    explicit BulkFile(std::filesystem::path path);

    // Whole chunks of a ChunkPipe, with nothing else before them, are not copied.
    void write(std::string_view octets);

    // Writes what is left, and `rest` behind it, and syncs.
    void finish(std::string_view rest = {});

  private:
    void write_chunk(std::string_view chunk);
    void set_direct(bool direct) noexcept;

    std::filesystem::path path_;
    FileDescriptor file_;
    Chunk buffer_;  // null: never needed
    size_t used_ = 0;
    bool direct_ = false;
    bool may_be_direct_ = true;
};

}  // namespace curlew::collector

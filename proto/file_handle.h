#pragma once

#include <unistd.h>

namespace curlew::proto {

// Closes a file descriptor in the end; below 0: none.
class FileHandle {
  public:
    explicit FileHandle(int descriptor) noexcept : descriptor_(descriptor) {}
    ~FileHandle() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;

    int get() const noexcept { return descriptor_; }

  private:
    int descriptor_;
};

}  // namespace curlew::proto

#include "collector/bulk_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace curlew::collector {
namespace {

constexpr size_t kBufferOctets = size_t{1} << 20;
// Of memory and of places in the file: no block device asks for more.
constexpr size_t kAlignment = 4096;

char* aligned_memory() {
    void* memory = std::aligned_alloc(kAlignment, kBufferOctets);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return static_cast<char*>(memory);
}

}  // namespace

BulkFile::BulkFile(std::filesystem::path path)
    : path_(std::move(path)),
      file_(open_file(path_, O_WRONLY | O_CREAT | O_TRUNC)),
      buffer_(aligned_memory()) {}

void BulkFile::write(std::string_view octets) {
    while (!octets.empty()) {
        const size_t part = std::min(octets.size(), kBufferOctets - used_);
        std::memcpy(buffer_.get() + used_, octets.data(), part);
        used_ += part;
        octets.remove_prefix(part);
        if (used_ == kBufferOctets) {
            set_direct(true);
            write_buffer();
        }
    }
}

// A file system may take the flag and refuse the write: then the page cache it is.
void BulkFile::write_buffer() {
    size_t written = 0;
    if (direct_) {
        const ssize_t result = ::write(file_.get(), buffer_.get(), used_);
        if (result < 0 && errno != EINVAL && errno != EINTR) {
            throw_file_error("write", path_);
        }
        written = result < 0 ? 0 : static_cast<size_t>(result);
        may_be_direct_ = written == used_;
        set_direct(may_be_direct_);
    }
    write_all(file_.get(), {buffer_.get() + written, used_ - written}, path_);
    used_ = 0;
}

void BulkFile::set_direct(bool direct) noexcept {
    direct = direct && may_be_direct_;
    if (direct == direct_) {
        return;
    }
    const int flags = ::fcntl(file_.get(), F_GETFL);
    const int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    if (flags >= 0 && ::fcntl(file_.get(), F_SETFL, wanted) == 0) {
        direct_ = direct;
    } else {
        may_be_direct_ = false;
    }
}

void BulkFile::finish() {
    set_direct(false);
    write_buffer();
    sync_data(file_.get(), path_);
}

}  // namespace curlew::collector

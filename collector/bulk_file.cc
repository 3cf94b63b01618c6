#include "collector/bulk_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace curlew::collector {
namespace {

bool is_whole_chunk(std::string_view octets) {
    return octets.size() == kChunkOctets &&
           reinterpret_cast<uintptr_t>(octets.data()) % kChunkAlignment == 0;
}

}  // namespace

BulkFile::BulkFile(std::filesystem::path path)
    : path_(std::move(path)), file_(open_file(path_, O_WRONLY | O_CREAT | O_TRUNC)) {}

void BulkFile::write(std::string_view octets) {
    if (used_ == 0 && is_whole_chunk(octets)) {
        set_direct(true);
        write_chunk(octets);
        return;
    }
    if (buffer_ == nullptr) {
        buffer_ = new_chunk();
    }
    while (!octets.empty()) {
        const size_t part = std::min(octets.size(), kChunkOctets - used_);
        std::memcpy(buffer_.get() + used_, octets.data(), part);
        used_ += part;
        octets.remove_prefix(part);
        if (used_ == kChunkOctets) {
            set_direct(true);
            write_chunk({buffer_.get(), used_});
            used_ = 0;
        }
    }
}

// A file system may take the flag and refuse the write: then the page cache it is.
void BulkFile::write_chunk(std::string_view chunk) {
    size_t written = 0;
    if (direct_) {
        ssize_t result = 0;
        do {
            result = ::write(file_.get(), chunk.data(), chunk.size());
        } while (result < 0 && errno == EINTR);
        if (result < 0 && errno != EINVAL) {
            throw_file_error("write", path_);
        }
        written = result < 0 ? 0 : static_cast<size_t>(result);
        may_be_direct_ = written == chunk.size();
        set_direct(may_be_direct_);
    }
    write_all(file_.get(), chunk.substr(written), path_);
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

void BulkFile::finish(std::string_view rest) {
    set_direct(false);
    write_chunk({buffer_.get(), used_});
    used_ = 0;
    write_chunk(rest);
    sync_data(file_.get(), path_);
}

}  // namespace curlew::collector

#include "cli/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <stdexcept>

namespace curlew::cli {

namespace {

constexpr size_t kBufferOctets = 1u << 20;

}  // namespace

WholeFile::WholeFile(const std::filesystem::path& path)
    : path_(path), open_path_(path.string() + ".open") {
    // What one who broke off left is written over; who still writes holds the lock.
    file_ = collector::open_locked(open_path_);
    if (::ftruncate(file_.get(), 0) != 0) {
        collector::throw_file_error("write", open_path_);
    }
}

WholeFile::~WholeFile() {
    if (!finished_) {
        ::unlink(open_path_.c_str());
    }
}

void WholeFile::write(std::string_view octets) {
    assert(!finished_);
    buffer_ += octets;
    if (buffer_.size() >= kBufferOctets) {
        flush();
    }
}

void WholeFile::finish() {
    assert(!finished_);
    flush();
    collector::sync_data(file_.get(), open_path_);
    give_name();
    finished_ = true;
    collector::sync_folder(path_.has_parent_path() ? path_.parent_path() : ".");
}

void WholeFile::flush() {
    collector::write_all(file_.get(), buffer_, open_path_);
    buffer_.clear();
}

void WholeFile::give_name() {
    const char* from = open_path_.c_str();
    const char* to = path_.c_str();
    // A plain rename would replace a file that took the name since the caller looked.
    int result = ::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    const bool not_known_to_file_system = result != 0 && errno == EINVAL;
    if (not_known_to_file_system && ::access(to, F_OK) != 0) {
        result = ::rename(from, to);
    }
    if (result != 0) {
        collector::throw_file_error("write", path_);
    }
}

}  // namespace curlew::cli

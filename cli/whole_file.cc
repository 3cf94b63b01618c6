#include "cli/whole_file.h"

#include <unistd.h>

#include <cassert>

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
    if (!collector::rename_to_free_name(open_path_, path_)) {
        collector::throw_file_error("write", path_);
    }
}

}  // namespace curlew::cli

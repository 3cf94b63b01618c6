#include "collector/segment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace curlew::collector {
namespace {

constexpr size_t kLongestFrame = proto::kFrameHeaderOctets + proto::kMaximumFrameBodyOctets;
constexpr size_t kBufferOctets = 4 * kLongestFrame;

// The one who held the lock may have removed the file under us; then it is another file's turn.
bool is_still_named(int descriptor, const std::filesystem::path& path) {
    struct stat opened {};
    struct stat named {};
    return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

FileDescriptor open_locked(const std::filesystem::path& path) {
    while (true) {
        FileDescriptor file = open_file(path, O_RDWR | O_CREAT);
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) {
                throw std::runtime_error(
                    fmt::format("cannot write {}: another process writes it", path.string()));
            }
            throw_file_error("lock", path);
        }
        if (is_still_named(file.get(), path)) {
            return file;
        }
    }
}

}  // namespace

SegmentReader::SegmentReader(const std::filesystem::path& path)
    : input_(path), buffer_(std::make_unique_for_overwrite<char[]>(kBufferOctets)) {}

bool SegmentReader::fill() {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const size_t octets = input_.read(std::span(buffer_.get() + end_, kBufferOctets - end_));
    end_ += octets;
    return octets > 0;
}

bool SegmentReader::next(proto::FrameView& frame) {
    while (true) {
        const std::span<const uint8_t> octets(
            reinterpret_cast<const uint8_t*>(buffer_.get()) + begin_, end_ - begin_);
        const proto::FrameError error =
            octets.empty() ? proto::FrameError::incomplete : proto::decode_frame(octets, frame);
        if (error == proto::FrameError::none) {
            begin_ += frame.frame_octets;
            valid_octets_ += frame.frame_octets;
            return true;
        }
        // A frame never needs more than the buffer holds, so a full buffer ends the prefix too.
        if (error != proto::FrameError::incomplete || octets.size() >= kLongestFrame || !fill()) {
            return false;
        }
    }
}

Segment::Segment(const std::filesystem::path& path, Start start)
    : path_(path), file_(open_locked(path)) {
    uint64_t valid_octets = 0;
    if (start == Start::recovered) {
        SegmentReader reader(path);
        proto::FrameView frame;
        while (reader.next(frame)) {
        }
        valid_octets = reader.valid_octets();
    }
    cut(valid_octets);
    // Whoever wrote it may have died of a sync that failed.
    write_again_durably(file_.get(), valid_octets, path_);
    sync_folder(path_.parent_path());
}

void Segment::append(std::span<const uint8_t> frames) {
    write_all(file_.get(), {reinterpret_cast<const char*>(frames.data()), frames.size()}, path_);
}

void Segment::cut(uint64_t octets) {
    if (::ftruncate(file_.get(), static_cast<off_t>(octets)) != 0 ||
        ::lseek(file_.get(), 0, SEEK_END) < 0) {
        throw_file_error("write", path_);
    }
}

void Segment::sync() {
    sync_data(file_.get(), path_);
}

}  // namespace curlew::collector

#include "collector/segment.h"

#include <unistd.h>

#include <cstring>

namespace curlew::collector {
namespace {

constexpr size_t kLongestFrame = proto::kFrameHeaderOctets + proto::kMaximumFrameBodyOctets;
constexpr size_t kSegmentBufferOctets = 4 * kLongestFrame;

}  // namespace

SegmentReader::SegmentReader(const std::filesystem::path& path)
    : input_(path), buffer_(std::make_unique_for_overwrite<char[]>(kSegmentBufferOctets)) {}

bool SegmentReader::fill() {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const size_t octets = input_.read(std::span(buffer_.get() + end_, kSegmentBufferOctets - end_));
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

Segment::Segment(const std::filesystem::path& path) : path_(path), file_(open_locked(path)) {
    SegmentReader reader(path);
    proto::FrameView frame;
    while (reader.next(frame)) {
    }
    cut(reader.valid_octets());
    // Whoever wrote it may have died of a sync that failed.
    write_again_durably(file_.get(), reader.valid_octets(), path_);
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

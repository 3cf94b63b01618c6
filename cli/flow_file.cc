#include "cli/flow_file.h"

#include <fmt/format.h>

#include <span>
#include <stdexcept>

#include "probe/capture_stream.h"

namespace curlew::cli {

namespace {

constexpr size_t kChunkOctets = 256u << 10;

}  // namespace

// A dataset of no records is empty, or holds nothing when it is unpacked.
FlowFile::FlowFile(const std::filesystem::path& path)
    : path_(path),
      stream_(std::make_unique<probe::CaptureStream>(
          path, probe::CaptureStream::Witness{}, probe::CaptureStream::Nothing::allowed)) {}

FlowFile::~FlowFile() = default;

bool FlowFile::next_line(std::string_view& line) {
    size_t feed = std::string::npos;
    while ((feed = buffer_.find('\n', scanned_)) == std::string::npos && read_more()) {
        if (scanned_ > kMaximumLineOctets) {
            ++line_number_;
            throw std::runtime_error(
                sentence(fmt::format("the line is longer than {} octets", kMaximumLineOctets)));
        }
    }
    const size_t end = feed == std::string::npos ? buffer_.size() : feed + 1;
    if (begin_ == end) {
        return false;
    }
    line = std::string_view(buffer_).substr(begin_, end - begin_);
    begin_ = end;
    scanned_ = end;
    ++line_number_;
    return true;
}

bool FlowFile::read_more() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    scanned_ = buffer_.size();
    buffer_.resize(scanned_ + kChunkOctets);
    auto* room = reinterpret_cast<uint8_t*>(buffer_.data()) + scanned_;
    const size_t octets = stream_->read(std::span(room, kChunkOctets));
    buffer_.resize(scanned_ + octets);
    if (octets == 0 && !stream_->fault().empty()) {
        throw std::runtime_error(fmt::format("{}: {}", path_.string(), stream_->fault()));
    }
    return octets > 0;
}

std::string FlowFile::sentence(std::string_view cause) const {
    return fmt::format("{}:{}: {}", path_.string(), line_number_, cause);
}

bool is_blank(std::string_view line) noexcept {
    return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::filesystem::path without_compression(const std::filesystem::path& path) {
    const std::filesystem::path extension = path.extension();
    if (extension == ".gz" || extension == ".zst") {
        return path.parent_path() / path.stem();
    }
    return path;
}

}  // namespace curlew::cli

#include "probe/spooled_runs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "probe/spool_files.h"
#include "proto/file_handle.h"
#include "proto/frame.h"

namespace curlew::probe {

namespace fs = std::filesystem;

namespace {

// More than a position is long.
constexpr uint64_t kMostPositionOctets = 64;

std::span<const uint8_t> frame_octets(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Zero when there is no position, or none that holds: then all comes again, and the collector knows
// what it has.
uint64_t position_of(const fs::path& folder, uint64_t epoch, std::vector<std::string>& problems) {
    const fs::path path = position_file(folder, epoch);
    std::error_code missing;
    if (!fs::exists(path, missing)) {
        return 0;
    }
    try {
        const proto::FileHandle file(opened_file(path, O_RDONLY));
        struct stat facts {};
        const bool is_short = ::fstat(file.get(), &facts) == 0 && facts.st_size >= 0 &&
                              static_cast<uint64_t>(facts.st_size) <= kMostPositionOctets;
        const size_t octets = is_short ? static_cast<size_t>(facts.st_size) : 0;
        if (const auto position = position_in(read_at(file.get(), 0, octets, path))) {
            return *position;
        }
    } catch (const std::runtime_error&) {
        // As one that holds nothing.
    }
    problems.push_back(
        fmt::format("{} does not say what a collector has: what is left of its run "
                    "is sent again",
                    path.string()));
    return 0;
}

// Reads the frames of one segment, in bounded memory: up to its end, or what is no frame.
class SegmentReader {
  public:
    explicit SegmentReader(const fs::path& path) : path_(path), file_(opened_file(path, O_RDONLY)) {
        struct stat facts {};
        if (::fstat(file_.get(), &facts) != 0) {
            throw_spool_error("read", path);
        }
        octets_ = static_cast<uint64_t>(facts.st_size);
    }

    // False at the end. `view` points into what is kept until the next call.
    bool next(proto::FrameView& view) {
        constexpr size_t kWhole = proto::kFrameHeaderOctets + proto::kMaximumFrameBodyOctets;
        offset_ += taken_;
        taken_ = 0;
        const uint64_t left = octets_ - std::min(octets_, offset_);
        // A piece holds many frames; what a cut one lacks is read with the next piece.
        const uint64_t begin = offset_ - piece_offset_;
        if (begin > piece_.size() || piece_.size() - begin < std::min<uint64_t>(left, kWhole)) {
            piece_ = read_at(file_.get(), offset_, std::min<uint64_t>(left, 4 * kWhole), path_);
            piece_offset_ = offset_;
        }
        const std::string_view rest = std::string_view(piece_).substr(offset_ - piece_offset_);
        if (proto::decode_frame(frame_octets(rest), view) != proto::FrameError::none) {
            return false;
        }
        taken_ = view.frame_octets;
        return true;
    }

    uint64_t offset() const noexcept { return offset_; }

    // Where next() found no frame: goes on to the next one of that epoch, if there is any. Returns
    // how many octets that are neither frame nor zero at the end were passed over.
    uint64_t pass_damage(uint64_t epoch) {
        const std::string rest = read_at(file_.get(), offset_, octets_ - offset_, path_);
        proto::FrameView view;
        for (size_t at = rest.find(proto::kFrameMagic, 1); at != std::string::npos;
             at = rest.find(proto::kFrameMagic, at + 1)) {
            if (proto::decode_frame(frame_octets(std::string_view(rest).substr(at)), view) ==
                    proto::FrameError::none &&
                view.header.epoch == epoch) {
                offset_ += at;
                return at;
            }
        }
        offset_ = octets_;
        return rest.find_last_not_of('\0') + 1;
    }

  private:
    fs::path path_;
    proto::FileHandle file_;
    uint64_t octets_ = 0;
    uint64_t offset_ = 0;
    uint64_t taken_ = 0;
    std::string piece_;
    uint64_t piece_offset_ = 0;
};

// What the segments of an epoch say of its probe, in front of each, and a file of its own.
struct SpooledHello {
    uint64_t probe_id = 0;
    std::string body;
};

std::optional<SpooledHello> hello_in(const fs::path& path, uint64_t epoch) {
    SegmentReader reader(path);
    proto::FrameView view;
    if (!reader.next(view) || view.header.kind != proto::FrameKind::hello ||
        view.header.epoch != epoch) {
        return std::nullopt;
    }
    return SpooledHello{
        view.header.probe_id,
        std::string(reinterpret_cast<const char*>(view.body.data()), view.body.size())};
}

// Written once when the epoch began: nothing where it is not.
std::optional<SpooledHello> hello_beside(const fs::path& folder, uint64_t epoch) {
    try {
        return hello_in(hello_file(folder, epoch), epoch);
    } catch (const std::runtime_error&) {
        return std::nullopt;
    }
}

// Room that was made for frames, and the power was gone before the first one.
bool holds_nothing(const fs::path& path, uint64_t epoch) {
    SegmentReader reader(path);
    proto::FrameView view;
    return !reader.next(view) && reader.pass_damage(epoch) == 0;
}

// Adds what a segment holds and no collector has to the epoch's runs. A gap begins another run.
// Without a hello the runs are nobody's.
void add_segment(const fs::path& path,
                 uint64_t epoch,
                 const std::optional<SpooledHello>& hello,
                 uint64_t acknowledged,
                 std::vector<SpooledRun>& runs,
                 std::vector<std::string>& problems) {
    SegmentReader reader(path);
    proto::FrameView view;
    for (bool is_first = true;; is_first = false) {
        if (!reader.next(view)) {
            const uint64_t begin = reader.offset();
            const uint64_t octets = reader.pass_damage(epoch);
            if (octets != 0 || is_first) {
                problems.push_back(
                    fmt::format("{}: {} octets from {} on are no frame, damaged or cut by a crash, "
                                "and their records lost; {}",
                                path.string(),
                                octets,
                                begin,
                                keep_aside(path)));
            }
            if (!reader.next(view)) {
                return;
            }
        }
        const proto::FrameHeader& header = view.header;
        if (is_first && header.kind == proto::FrameKind::hello && header.epoch == epoch) {
            continue;
        }
        const bool is_batch = header.kind == proto::FrameKind::batch && header.record_count != 0;
        if (header.epoch != epoch || (hello && header.probe_id != hello->probe_id) ||
            (!is_batch && header.kind != proto::FrameKind::ledger)) {
            problems.push_back(
                fmt::format("{} holds what no probe spools; the rest of it is left out, and {}",
                            path.string(),
                            keep_aside(path)));
            return;
        }
        const uint64_t last = header.first_sequence + (is_batch ? header.record_count : 1) - 1;
        if (last <= acknowledged) {
            continue;
        }
        if (runs.empty() || runs.back().frames.back().last_sequence + 1 != header.first_sequence) {
            if (!runs.empty()) {
                problems.push_back(fmt::format("{}: what lies between sequence {} and {} is lost",
                                               path.string(),
                                               runs.back().frames.back().last_sequence,
                                               header.first_sequence));
            }
            const SpooledHello whose = hello.value_or(SpooledHello{});
            runs.push_back({epoch, whose.probe_id, whose.body, {}});
        }
        runs.back().frames.push_back({path,
                                      reader.offset(),
                                      static_cast<uint32_t>(view.frame_octets),
                                      header.first_sequence,
                                      last,
                                      is_batch ? header.record_count : 0});
    }
}

}  // namespace

std::vector<SpooledRun> spooled_runs(const fs::path& folder,
                                     uint64_t epoch,
                                     const std::map<uint64_t, fs::path>& segments,
                                     std::vector<std::string>& problems) {
    if (segments.empty()) {
        return {};
    }
    const uint64_t acknowledged = position_of(folder, epoch, problems);
    std::vector<SpooledRun> runs;
    std::vector<fs::path> readable;
    std::optional<SpooledHello> hello;
    for (const auto& [first, path] : segments) {
        try {
            if (holds_nothing(path, epoch)) {
                fs::remove(path);
                continue;
            }
            const auto found = hello_in(path, epoch);
            hello = hello ? hello : found;
            readable.push_back(path);
        } catch (const std::runtime_error& error) {
            problems.push_back(fmt::format("{}; {}", error.what(), keep_aside(path)));
        }
    }
    if (!hello) {
        hello = hello_beside(folder, epoch);
    }
    for (const fs::path& path : readable) {
        try {
            add_segment(path, epoch, hello, acknowledged, runs, problems);
        } catch (const std::runtime_error& error) {
            problems.push_back(fmt::format("{}; {}", error.what(), keep_aside(path)));
        }
    }
    if (!hello && !readable.empty()) {
        uint64_t records = 0;
        for (const SpooledRun& run : runs) {
            records += run.records();
        }
        runs.clear();
        problems.push_back(fmt::format(
            "{} does not tell which probe wrote it, and the {} records of its epoch are lost; {}",
            readable.front().string(),
            records,
            keep_aside(readable.front())));
    }
    return runs;
}

}  // namespace curlew::probe

#include "probe/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "proto/file_handle.h"
#include "proto/frame.h"

namespace curlew::probe {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSegmentSuffix = ".spool";
constexpr std::string_view kPositionSuffix = ".acknowledged";
constexpr size_t kHexDigits = 16;

[[noreturn]] void throw_spool_error(const char* verb, const fs::path& path) {
    throw std::runtime_error(
        fmt::format("cannot {} {}: {}", verb, path.string(), std::strerror(errno)));
}

int opened_file(const fs::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
    if (descriptor < 0) {
        throw_spool_error("open", path);
    }
    return descriptor;
}

bool write_at(int descriptor, std::string_view octets, uint64_t offset) {
    while (!octets.empty()) {
        const ssize_t written =
            ::pwrite(descriptor, octets.data(), octets.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? EIO : errno;
            return false;
        }
        octets.remove_prefix(static_cast<size_t>(written));
        offset += static_cast<uint64_t>(written);
    }
    return true;
}

std::string read_at(int descriptor, uint64_t offset, size_t octets, const fs::path& path) {
    std::string text(octets, '\0');
    size_t filled = 0;
    while (filled < octets) {
        const ssize_t got = ::pread(
            descriptor, text.data() + filled, octets - filled, static_cast<off_t>(offset + filled));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            throw_spool_error("read", path);
        }
        filled += static_cast<size_t>(got);
    }
    return text;
}

bool sync_spool(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    ::close(descriptor);
    return synced;
}

std::optional<uint64_t> hexadecimal(std::string_view text) {
    uint64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    return text.size() == kHexDigits && result.ec == std::errc() &&
                   result.ptr == text.data() + text.size()
               ? std::optional(number)
               : std::nullopt;
}

fs::path position_file(const fs::path& folder, uint64_t epoch) {
    return folder / fmt::format("{:016x}{}", epoch, kPositionSuffix);
}

struct SegmentName {
    uint64_t epoch;
    uint64_t first_sequence;
};

std::optional<SegmentName> segment_name(const fs::path& file) {
    const std::string name = file.filename().string();
    if (file.extension() != kSegmentSuffix ||
        name.size() != 2 * kHexDigits + 1 + kSegmentSuffix.size() || name[kHexDigits] != '-') {
        return std::nullopt;
    }
    const auto epoch = hexadecimal(std::string_view(name).substr(0, kHexDigits));
    const auto first = hexadecimal(std::string_view(name).substr(kHexDigits + 1, kHexDigits));
    return epoch && first ? std::optional(SegmentName{*epoch, *first}) : std::nullopt;
}

std::span<const uint8_t> octets_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Zero when there is no position, or none that can be understood: then all comes again, and the
// collector knows what it has.
uint64_t position_of(const fs::path& folder, uint64_t epoch) {
    try {
        const fs::path path = position_file(folder, epoch);
        const proto::FileHandle file(opened_file(path, O_RDONLY));
        return hexadecimal(read_at(file.get(), 0, kHexDigits, path)).value_or(0);
    } catch (const std::runtime_error&) {
        return 0;
    }
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
        if (proto::decode_frame(octets_of(rest), view) != proto::FrameError::none) {
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
            if (proto::decode_frame(octets_of(std::string_view(rest).substr(at)), view) ==
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

// What the segments of an epoch say of its probe, in front of each.
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

// What the epoch's segments hold that no collector has.
std::vector<SpooledRun> runs_of(uint64_t epoch,
                                const std::map<uint64_t, fs::path>& segments,
                                uint64_t acknowledged,
                                std::vector<std::string>& problems) {
    std::vector<SpooledRun> runs;
    std::vector<fs::path> readable;
    std::optional<SpooledHello> hello;
    for (const auto& [first, path] : segments) {
        try {
            const auto found = hello_in(path, epoch);
            hello = hello ? hello : found;
            readable.push_back(path);
        } catch (const std::runtime_error& error) {
            problems.push_back(fmt::format("{}; {}", error.what(), keep_aside(path)));
        }
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

// With all that leads to it. One that is there may have been made by a run that died before its
// name was durable.
void make_folder(const fs::path& path) {
    std::error_code failure;
    fs::create_directories(path, failure);
    if (failure) {
        throw std::runtime_error(
            fmt::format("cannot make the spool {}: {}", path.string(), failure.message()));
    }
    for (fs::path made = fs::absolute(path).lexically_normal(); made.has_relative_path();
         made = made.parent_path()) {
        const fs::path parent = made.parent_path();
        if (::access(parent.c_str(), R_OK | W_OK) == 0 && !sync_spool(parent)) {
            throw_spool_error("sync", parent);
        }
    }
}

}  // namespace

std::string keep_aside(const fs::path& segment) {
    const std::string aside = segment.string() + ".damaged";
    return ::link(segment.c_str(), aside.c_str()) == 0 || errno == EEXIST
               ? "it is kept as " + aside
               : fmt::format("it cannot be kept as {}: {}", aside, std::strerror(errno));
}

uint64_t SpooledRun::records() const noexcept {
    const auto add = [](uint64_t sum, const Frame& frame) { return sum + frame.records; };
    return std::accumulate(frames.begin(), frames.end(), uint64_t{0}, add);
}

uint64_t SpooledRun::octets() const noexcept {
    const auto add = [](uint64_t sum, const Frame& frame) { return sum + frame.octets; };
    return std::accumulate(frames.begin(), frames.end(), uint64_t{0}, add);
}

SpoolFolder::SpoolFolder(fs::path path) : path_(std::move(path)) {
    make_folder(path_);
    const fs::path lock = path_ / ".lock";
    lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock_ < 0) {
        throw_spool_error("open", lock);
    }
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        ::close(lock_);
        throw std::runtime_error(fmt::format("another probe holds the spool {}", path_.string()));
    }
}

SpoolFolder::~SpoolFolder() {
    ::close(lock_);
}

std::vector<SpooledRun> SpoolFolder::left(std::vector<std::string>& problems) {
    struct Epoch {
        std::map<uint64_t, fs::path> segments;  // by first sequence
        fs::file_time_type begun = fs::file_time_type::max();
    };
    std::map<uint64_t, Epoch> epochs;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
        const fs::path& file = entry.path();
        if (file.extension() == kPositionSuffix) {
            if (const auto epoch = hexadecimal(file.stem().string())) {
                epochs[*epoch];  // of nothing, when a run died in between
            }
        } else if (const auto name = segment_name(file)) {
            std::error_code failure;
            Epoch& epoch = epochs[name->epoch];
            epoch.segments[name->first_sequence] = entry.path();
            epoch.begun = std::min(epoch.begun, entry.last_write_time(failure));
        }
    }
    std::vector<std::pair<fs::file_time_type, std::vector<SpooledRun>>> found;
    for (const auto& [epoch, facts] : epochs) {
        std::vector<SpooledRun> runs =
            runs_of(epoch, facts.segments, position_of(path_, epoch), problems);
        if (runs.empty()) {
            remove(epoch);
        } else {
            found.emplace_back(facts.begun, std::move(runs));
        }
    }
    std::stable_sort(
        found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<SpooledRun> all;
    for (auto& [begun, runs] : found) {
        std::move(runs.begin(), runs.end(), std::back_inserter(all));
    }
    return all;
}

bool SpoolFolder::note(uint64_t epoch, uint64_t last_acknowledged) {
    const fs::path path = position_file(path_, epoch);
    const fs::path part = path.string() + ".part";
    const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (file < 0) {
        return false;
    }
    const bool written =
        write_at(file, fmt::format("{:016x}", last_acknowledged), 0) && ::fdatasync(file) == 0;
    return ::close(file) == 0 && written && ::rename(part.c_str(), path.c_str()) == 0 &&
           sync_spool(path_);
}

void SpoolFolder::remove(uint64_t epoch) {
    const std::string front = fmt::format("{:016x}-", epoch);
    std::error_code failure;
    bool is_gone = true;
    std::vector<fs::path> segments;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_, failure)) {
        if (segment_name(entry.path()) && entry.path().filename().string().starts_with(front)) {
            segments.push_back(entry.path());
        }
    }
    for (const fs::path& segment : segments) {
        is_gone = ::unlink(segment.c_str()) == 0 && is_gone;
    }
    if (sync_spool(path_) && is_gone) {
        fs::remove(position_file(path_, epoch), failure);
    }
}

std::string read_spooled(const SpooledRun::Frame& frame) {
    const proto::FileHandle file(opened_file(frame.file, O_RDONLY));
    std::string octets = read_at(file.get(), frame.offset, frame.octets, frame.file);
    proto::FrameView view;
    if (const auto error = proto::decode_frame(octets_of(octets), view);
        error != proto::FrameError::none) {
        throw std::runtime_error(fmt::format(
            "{} is damaged at {}: {}", frame.file.string(), frame.offset, proto::name_of(error)));
    }
    return octets;
}

struct Spool::Segment {
    explicit Segment(const fs::path& file_path)
        : path(file_path), file(opened_file(file_path, O_RDWR | O_CREAT | O_EXCL)) {}

    fs::path path;
    proto::FileHandle file;
    uint64_t octets = 0;         // written; behind them are zeros
    uint64_t last_sequence = 0;  // appended
    // Not trusted any more: takes nothing. Written by the syncing thread, under the mutex.
    bool failed = false;
};

Spool::Spool(SpoolFolder& folder, uint64_t epoch, std::string hello, uint64_t segment_octets)
    : folder_(folder),
      epoch_(epoch),
      hello_(std::move(hello)),
      segment_octets_(segment_octets),
      syncing_([this] { sync_until_over(); }) {}

Spool::~Spool() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    syncing_.join();
}

void Spool::begin_segment(uint64_t first_sequence) {
    auto segment = std::make_shared<Segment>(
        folder_.path() / fmt::format("{:016x}-{:016x}{}", epoch_, first_sequence, kSegmentSuffix));
    const int full = ::posix_fallocate(segment->file.get(), 0, static_cast<off_t>(segment_octets_));
    errno = full;
    if (full != 0 || !write_at(segment->file.get(), hello_, 0)) {
        const int cause = errno;
        ::unlink(segment->path.c_str());
        errno = cause;
        throw_spool_error("write", segment->path);
    }
    segment->octets = hello_.size();
    const std::lock_guard lock(mutex_);
    new_.push_back(segment);
    segments_.push_back(std::move(segment));
}

SpoolPlace Spool::append(std::string_view frame, uint64_t first_sequence, uint64_t last_sequence) {
    assert(hello_.size() + frame.size() <= segment_octets_);
    bool is_failed = false;
    if (!segments_.empty()) {
        const std::lock_guard lock(mutex_);
        is_failed = segments_.back()->failed;
    }
    if (segments_.empty() || is_failed ||
        segments_.back()->octets + frame.size() > segment_octets_) {
        begin_segment(first_sequence);
    }
    const std::shared_ptr<Segment>& segment = segments_.back();
    if (!write_at(segment->file.get(), frame, segment->octets)) {
        // What is there of it is no frame, and the next one overwrites it.
        throw_spool_error("write", segment->path);
    }
    const SpoolPlace place{first_segment_ + segments_.size() - 1,
                           segment->octets,
                           static_cast<uint32_t>(frame.size())};
    segment->octets += frame.size();
    segment->last_sequence = last_sequence;
    {
        const std::lock_guard lock(mutex_);
        appended_ = last_sequence;
        if (dirty_.empty() || dirty_.back() != segment) {
            dirty_.push_back(segment);
        }
    }
    changed_.notify_all();
    return place;
}

std::string Spool::read(const SpoolPlace& place) const {
    const Segment& segment = *segments_[place.segment - first_segment_];
    return read_at(segment.file.get(), place.offset, place.octets, segment.path);
}

void Spool::acknowledged(uint64_t last_sequence) {
    // The newest segment stays: it goes on.
    const auto is_over = [&] {
        return segments_.size() > 1 && segments_.front()->last_sequence <= last_sequence;
    };
    if (!is_over()) {
        return;
    }
    if (last_sequence > noted_ && !folder_.note(epoch_, last_sequence)) {
        return;  // it stays until the position can be written
    }
    noted_ = last_sequence;
    while (is_over()) {
        ::unlink(segments_.front()->path.c_str());
        segments_.pop_front();
        ++first_segment_;
    }
}

void Spool::forget(uint64_t last_sequence) {
    acknowledged(last_sequence);
    if (last_sequence > noted_ && folder_.note(epoch_, last_sequence)) {
        noted_ = last_sequence;
    }
}

void Spool::finish(uint64_t last_sequence) {
    // Should the end come in between, nothing is sent again.
    folder_.note(epoch_, last_sequence);
    if (segments_.empty() || segments_.back()->last_sequence <= last_sequence) {
        folder_.remove(epoch_);
        first_segment_ += segments_.size();
        segments_.clear();
    }
}

// One sync for all that was appended while the last one ran.
void Spool::sync_until_over() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return over_ || !dirty_.empty(); });
        if (dirty_.empty()) {
            return;
        }
        const std::vector<std::shared_ptr<Segment>> segments = std::exchange(dirty_, {});
        const uint64_t appended = appended_;
        const std::vector<std::shared_ptr<Segment>> named = std::exchange(new_, {});
        lock.unlock();
        std::vector<Segment*> failed;
        for (const auto& segment : segments) {
            // Of one that failed before, a sync would only say that nothing more failed since.
            if (segment->failed || ::fdatasync(segment->file.get()) != 0) {
                failed.push_back(segment.get());
            }
        }
        if (!named.empty() && !sync_spool(folder_.path())) {
            for (const auto& segment : named) {
                failed.push_back(segment.get());
            }
        }
        lock.lock();
        for (Segment* segment : failed) {
            segment->failed = true;
        }
        failed_.fetch_add(failed.size(), std::memory_order_relaxed);
        synced_.store(appended, std::memory_order_release);
    }
}

}  // namespace curlew::probe

#include "probe/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <map>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "probe/spool_files.h"
#include "probe/spooled_runs.h"
#include "proto/file_handle.h"
#include "proto/frame.h"

namespace curlew::probe {

namespace fs = std::filesystem;

namespace {

// Throws std::runtime_error when it cannot be read, or is no frame any more.
std::string read_frame(int file, uint64_t offset, uint32_t octets, const fs::path& path) {
    std::string frame = read_at(file, offset, octets, path);
    proto::FrameView view;
    const auto* begin = reinterpret_cast<const uint8_t*>(frame.data());
    if (const auto error = proto::decode_frame({begin, frame.size()}, view);
        error != proto::FrameError::none) {
        throw std::runtime_error(
            fmt::format("{} is damaged at {}: {}", path.string(), offset, proto::name_of(error)));
    }
    return frame;
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
    std::vector<fs::path> unfinished;  // of a run that died while it wrote them
    for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
        const fs::path& file = entry.path();
        if (const auto of = epoch_named(file)) {
            epochs[*of];  // of nothing, when a run died in between
        } else if (file.extension() == kPartSuffix && epoch_named(file.stem())) {
            unfinished.push_back(file);
        } else if (const auto name = segment_name(file)) {
            std::error_code failure;
            Epoch& epoch = epochs[name->epoch];
            epoch.segments[name->first_sequence] = entry.path();
            epoch.begun = std::min(epoch.begun, entry.last_write_time(failure));
        }
    }
    for (const fs::path& file : unfinished) {
        ::unlink(file.c_str());
    }
    std::vector<std::pair<fs::file_time_type, std::vector<SpooledRun>>> found;
    for (const auto& [epoch, facts] : epochs) {
        std::vector<SpooledRun> runs = spooled_runs(path_, epoch, facts.segments, problems);
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
    return write_durably(position_file(path_, epoch), position_text(last_acknowledged)) &&
           sync_spool(path_);
}

void SpoolFolder::remove(uint64_t epoch) {
    std::error_code failure;
    bool is_gone = true;
    std::vector<fs::path> segments;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_, failure)) {
        if (const auto name = segment_name(entry.path()); name && name->epoch == epoch) {
            segments.push_back(entry.path());
        }
    }
    for (const fs::path& segment : segments) {
        is_gone = ::unlink(segment.c_str()) == 0 && is_gone;
    }
    fs::remove(hello_file(path_, epoch), failure);
    if (sync_spool(path_) && is_gone) {
        fs::remove(position_file(path_, epoch), failure);
    }
}

std::string read_spooled(const SpooledRun::Frame& frame) {
    const proto::FileHandle file(opened_file(frame.file, O_RDONLY));
    return read_frame(file.get(), frame.offset, frame.octets, frame.file);
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

// A hello and a frame, each as long as it may be.
static_assert(2 * (proto::kFrameHeaderOctets + proto::kMaximumFrameBodyOctets) <=
              Spool::kLeastSegmentOctets);

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
    if (segments_.size() == kMostSegments) {
        throw std::runtime_error(fmt::format(
            "the spool {} has {} files already", folder_.path().string(), kMostSegments));
    }
    if (!said_hello_) {
        // Best effort: it is wanted where every segment of the epoch is damaged in front.
        said_hello_ = write_durably(hello_file(folder_.path(), epoch_), hello_);
    }
    auto segment =
        std::make_shared<Segment>(segment_file(folder_.path(), {epoch_, first_sequence}));
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
    if (is_failed) {
        // What goes is preallocated room alone, as far as this disk does anything.
        const Segment& failed = *segments_.back();
        [[maybe_unused]] const int cut =
            ::ftruncate(failed.file.get(), static_cast<off_t>(failed.octets));
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
    try {
        return read_frame(segment.file.get(), place.offset, place.octets, segment.path);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(fmt::format("{}; {}", error.what(), keep_aside(segment.path)));
    }
}

void Spool::acknowledged(uint64_t last_sequence) {
    // The newest segment stays: it goes on.
    const auto is_over = [&] {
        return segments_.size() > 1 && segments_.front()->last_sequence <= last_sequence;
    };
    if (!is_over()) {
        return;
    }
    const auto remove_front = [&] {
        ::unlink(segments_.front()->path.c_str());
        segments_.pop_front();
        ++first_segment_;
    };
    if (last_sequence > noted_ && !folder_.note(epoch_, last_sequence)) {
        // A disk that is full has no room for the position either. The position spares sending
        // again what a collector has: nothing is lost without it.
        if (errno != ENOSPC && errno != EDQUOT) {
            return;  // it stays until the position can be written
        }
        remove_front();
        if (!folder_.note(epoch_, last_sequence)) {
            return;
        }
    }
    noted_ = last_sequence;
    while (is_over()) {
        remove_front();
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

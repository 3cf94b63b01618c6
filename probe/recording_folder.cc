#include "probe/recording_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "probe/pcapng_writer.h"

namespace curlew::probe {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kComplete = ".pcapng";
constexpr std::string_view kOpen = ".pcapng.open";
constexpr std::string_view kLock = ".lock";
constexpr uint64_t kFileSecond = 1'000'000'000;
constexpr uint64_t kDay = 86'400 * kFileSecond;
// The disk is told to begin after so much, so that completing a file does not take long.
constexpr uint64_t kWriteBackOctets = uint64_t{8} << 20;

[[noreturn]] void throw_error(const char* verb, const fs::path& path) {
    throw std::runtime_error(
        fmt::format("cannot {} {}: {}", verb, path.string(), std::strerror(errno)));
}

int opened(const fs::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
    if (descriptor < 0) {
        throw_error("open", path);
    }
    return descriptor;
}

void sync_folder(const fs::path& folder) {
    const proto::FileHandle descriptor(opened(folder, O_RDONLY | O_DIRECTORY));
    if (::fsync(descriptor.get()) != 0) {
        throw_error("sync", folder);
    }
}

// The open file gets its name, durably. Requires: its content is synced.
void give_name(const fs::path& open) {
    fs::path name = open;
    name.replace_extension();
    if (::rename(open.c_str(), name.c_str()) != 0) {
        throw_error("rename", open);
    }
    sync_folder(open.parent_path());
}

// Octets of whole blocks at the front of the file, and packets in them.
struct WholeBlocks {
    uint64_t octets = 0;
    uint64_t packets = 0;
};

WholeBlocks whole_blocks(int file, const fs::path& path) {
    constexpr size_t kPieceOctets = 4 * kLongestBlock;
    // Most files are shorter: what is not read is not touched.
    const auto piece = std::make_unique_for_overwrite<uint8_t[]>(kPieceOctets);
    PcapngBlocks blocks;
    uint64_t begin = 0;  // of the piece, in the file
    while (true) {
        size_t filled = 0;
        while (filled < kPieceOctets) {
            const ssize_t got = ::pread(file,
                                        piece.get() + filled,
                                        kPieceOctets - filled,
                                        static_cast<off_t>(begin + filled));
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                throw_error("read", path);
            }
            if (got == 0) {
                break;
            }
            filled += static_cast<size_t>(got);
        }
        const bool is_last = filled < kPieceOctets;
        size_t at = 0;
        while (is_last || filled - at >= kLongestBlock) {
            const size_t block = blocks.next({piece.get() + at, filled - at});
            if (block == 0) {
                return {begin + at, blocks.packets()};
            }
            at += block;
        }
        begin += at;
    }
}

std::string recover_file(const fs::path& open) {
    const proto::FileHandle file(opened(open, O_RDWR));
    const WholeBlocks whole = whole_blocks(file.get(), open);
    if (whole.packets == 0) {
        if (::unlink(open.c_str()) != 0) {
            throw_error("remove", open);
        }
        return fmt::format("{} had no packet and was removed", open.string());
    }
    if (::ftruncate(file.get(), static_cast<off_t>(whole.octets)) != 0) {
        throw_error("cut", open);
    }
    if (::fsync(file.get()) != 0) {
        throw_error("sync", open);
    }
    give_name(open);
    return fmt::format(
        "{} was left open: its {} whole packets are kept", open.stem().string(), whole.packets);
}

// It is the file that has this name.
bool is_named(int file, const fs::path& name) noexcept {
    struct stat opened_file {};
    struct stat named_file {};
    return ::fstat(file, &opened_file) == 0 && ::stat(name.c_str(), &named_file) == 0 &&
           opened_file.st_dev == named_file.st_dev && opened_file.st_ino == named_file.st_ino;
}

int locked(const fs::path& folder) {
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure) {
        throw std::runtime_error(fmt::format(
            "cannot make the recording's folder {}: {}", folder.string(), failure.message()));
    }
    const int lock = opened(folder / kLock, O_RDWR | O_CREAT);
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        ::close(lock);
        throw std::runtime_error(fmt::format("another probe records into {}", folder.string()));
    }
    return lock;
}

// <probe>-<UTC start>-<epoch>-<number>, and then this: nobody else's file is touched.
bool is_recording(std::string_view name, std::string_view end) {
    constexpr size_t kEpochDigits = 16;
    if (!name.ends_with(end)) {
        return false;
    }
    name.remove_suffix(end.size());
    const size_t number = name.rfind('-');
    if (number == std::string_view::npos || number <= kEpochDigits) {
        return false;
    }
    const auto is_made_of = [](std::string_view text, std::string_view digits) {
        return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
    };
    return is_made_of(name.substr(number + 1), "0123456789") &&
           is_made_of(name.substr(number - kEpochDigits, kEpochDigits), "0123456789abcdef") &&
           name[number - kEpochDigits - 1] == '-';
}

// Recordings whose names end so, in order of name.
std::vector<fs::path> files_ending(const fs::path& folder, std::string_view end) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (is_recording(entry.path().filename().string(), end)) {
            files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

uint64_t free_octets(const fs::path& folder) {
    struct statvfs facts {};
    if (::statvfs(folder.c_str(), &facts) != 0) {
        throw_error("ask for the room at", folder);
    }
    return static_cast<uint64_t>(facts.f_bavail) * facts.f_frsize;
}

}  // namespace

RecordingFile::RecordingFile(fs::path path)
    : path_(std::move(path)), file_(opened(path_, O_WRONLY | O_CREAT | O_EXCL)) {}

void RecordingFile::append(std::span<const uint8_t> blocks) {
    uint64_t end = octets_;
    while (!blocks.empty()) {
        const ssize_t written =
            ::pwrite(file_.get(), blocks.data(), blocks.size(), static_cast<off_t>(end));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? EIO : errno;
            throw_error("write", path_);
        }
        blocks = blocks.subspan(static_cast<size_t>(written));
        end += static_cast<uint64_t>(written);
    }
    octets_ = end;
    if (octets_ - writing_back_ >= kWriteBackOctets) {
        ::sync_file_range(file_.get(),
                          static_cast<off_t>(writing_back_),
                          static_cast<off_t>(octets_ - writing_back_),
                          SYNC_FILE_RANGE_WRITE);
        writing_back_ = octets_;
    }
}

bool RecordingFile::is_there() const noexcept {
    return is_named(file_.get(), path_);
}

void RecordingFile::complete() {
    // A write that failed may have left a part of itself.
    if (::ftruncate(file_.get(), static_cast<off_t>(octets_)) != 0) {
        throw_error("cut", path_);
    }
    if (::fsync(file_.get()) != 0) {
        throw_error("sync", path_);
    }
    give_name(path_);
}

void RecordingFile::discard() {
    if (::unlink(path_.c_str()) != 0) {
        throw_error("remove", path_);
    }
}

RecordingFolder::RecordingFolder(fs::path path, const RecordingRetention& keep)
    : path_(std::move(path)), keep_(keep), lock_(std::in_place, locked(path_)) {}

std::vector<std::string> RecordingFolder::recover() {
    std::vector<std::string> told;
    for (const fs::path& open : files_ending(path_, kOpen)) {
        try {
            told.push_back(recover_file(open));
        } catch (const std::runtime_error& error) {
            told.emplace_back(error.what());
        }
    }
    return told;
}

bool RecordingFolder::restore() {
    if (is_named(lock_->get(), path_ / kLock)) {
        return false;
    }
    lock_.emplace(locked(path_));
    return true;
}

std::optional<uint64_t> RecordingFolder::keep_bounds(
    const std::string& open, uint64_t open_octets, uint64_t least, uint64_t most, uint64_t now_ns) {
    assert(least > 0);
    assert(least <= most);
    if (keep_.days == 0 && keep_.octets == 0 && keep_.min_free == 0) {
        return most;
    }
    struct Kept {
        fs::path path;
        uint64_t octets;
        uint64_t complete_ns;
    };
    std::vector<Kept> files;
    uint64_t octets = open_octets;
    std::vector<fs::path> paths = files_ending(path_, kComplete);
    for (fs::path& path : files_ending(path_, kOpen)) {
        if (path.filename() != open) {
            paths.push_back(std::move(path));
        }
    }
    for (const fs::path& path : paths) {
        struct stat facts {};
        if (::lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode)) {
            files.push_back({path,
                             static_cast<uint64_t>(facts.st_size),
                             static_cast<uint64_t>(facts.st_mtim.tv_sec) * kFileSecond +
                                 static_cast<uint64_t>(facts.st_mtim.tv_nsec)});
            octets += files.back().octets;
        }
    }
    // Names have packets' times, which are not when the file was made where a capture is recorded.
    std::stable_sort(files.begin(), files.end(), [](const Kept& one, const Kept& other) {
        return one.complete_ns < other.complete_ns;
    });
    const auto left = [](uint64_t bound, uint64_t used) { return bound - std::min(bound, used); };
    const auto disk_room = [&] {
        return keep_.min_free == 0 ? most
                                   : std::min(most, left(free_octets(path_), keep_.min_free));
    };
    const auto kept_room = [&] {
        return keep_.octets == 0 ? most : std::min(most, left(keep_.octets, octets));
    };
    uint64_t on_disk = disk_room();
    for (const Kept& file : files) {
        const bool is_too_old = keep_.days != 0 && now_ns > file.complete_ns &&
                                now_ns - file.complete_ns > keep_.days * kDay;
        if (!is_too_old && std::min(on_disk, kept_room()) >= least) {
            break;
        }
        // Somebody else may have removed it meanwhile.
        if (::unlink(file.path.c_str()) != 0 && errno != ENOENT) {
            throw_error("remove", file.path);
        }
        octets -= file.octets;
        on_disk = disk_room();
    }
    if (on_disk < least) {
        return std::nullopt;
    }
    // Where the open file alone passes the bound, it goes on.
    return std::max(least, std::min(on_disk, kept_room()));
}

}  // namespace curlew::probe

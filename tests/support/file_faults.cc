// The names below are those of functions without and with 64 bits alike.
#undef _FILE_OFFSET_BITS

#include "tests/support/file_faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>

namespace curlew::tests {
namespace {

using Kind = FileCall::Kind;

constexpr uint64_t kTornSector = 512;

struct OpenFile {
    uint32_t file = 0;  // 0: a folder
    std::string folder;
};

struct State {
    std::recursive_mutex mutex;
    std::string root;  // empty: nothing is watched
    Disk disk;
    std::vector<FileCall> log;
    std::map<int, OpenFile> open;

    Fault fault = Fault::broken;
    uint64_t countdown = 0;
    bool has_struck = false;
    bool has_crashed = false;
    bool next_write_fails = false;
};

// Never destroyed: files are closed until the very end.
State& state() {
    static State* const the_state = new State;
    return *the_state;
}

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Nothing when it is not below the watched folder.
std::optional<std::string> watched(const char* path) {
    const State& now = state();
    const std::string text = std::filesystem::path(path).lexically_normal().string();
    if (now.root.empty() || !text.starts_with(now.root)) {
        return std::nullopt;
    }
    std::string within = text.substr(now.root.size());
    if (within.empty()) {
        return within;
    }
    if (within.front() != '/') {
        return std::nullopt;
    }
    within.erase(0, 1);
    while (within.ends_with('/')) {
        within.pop_back();
    }
    return within;
}

const OpenFile* watched(int descriptor) {
    const auto found = state().open.find(descriptor);
    return found == state().open.end() ? nullptr : &found->second;
}

void note(FileCall call) {
    state().disk.apply(call);
    state().log.push_back(std::move(call));
}

enum class Verdict { goes_on, fails, fails_now_first };

// What becomes of this call, with errno set.
Verdict judge() {
    State& now = state();
    if (now.has_crashed) {
        errno = EIO;
        return Verdict::fails;
    }
    if (now.countdown == 0 || --now.countdown > 0) {
        return Verdict::goes_on;
    }
    now.has_struck = true;
    now.has_crashed = now.fault == Fault::crash;
    errno = now.fault == Fault::no_space ? ENOSPC : EIO;
    return Verdict::fails_now_first;
}

bool fails() {
    return judge() != Verdict::goes_on;
}

using Pwrite = ssize_t(int, const void*, size_t, off64_t);

ssize_t write_at(int descriptor, const OpenFile& open, const void* from, size_t count, off64_t at) {
    static auto* const real = next<Pwrite>("pwrite64");
    State& now = state();
    size_t to_write = count;
    if (now.next_write_fails) {
        now.next_write_fails = false;
        errno = ENOSPC;
        return -1;
    }
    const Verdict verdict = judge();
    const int error = errno;
    if (verdict == Verdict::fails) {
        return -1;
    }
    if (verdict == Verdict::fails_now_first) {
        to_write = 0;
        if (now.fault == Fault::no_space) {
            to_write = count / 2;
            now.next_write_fails = to_write > 0;
        } else if (now.fault == Fault::crash) {
            const auto begin = static_cast<uint64_t>(at);
            const uint64_t end = (begin + count / 2) / kTornSector * kTornSector;
            to_write = end > begin ? end - begin : 0;
        }
    }
    if (to_write > 0) {
        const ssize_t written = real(descriptor, from, to_write, at);
        assert(written == static_cast<ssize_t>(to_write));
        note({.kind = Kind::write,
              .file = open.file,
              .offset = static_cast<uint64_t>(at),
              .octets = {static_cast<const char*>(from), to_write}});
    }
    const bool succeeds =
        verdict == Verdict::goes_on || (now.fault == Fault::no_space && to_write > 0);
    if (!succeeds) {
        errno = error;
    }
    return succeeds ? static_cast<ssize_t>(to_write) : -1;
}

int sync(int descriptor, const char* name) {
    const std::lock_guard lock(state().mutex);
    const OpenFile* open = watched(descriptor);
    if (open == nullptr) {
        return next<int(int)>(name)(descriptor);
    }
    const bool is_folder = open->file == 0;
    const Verdict verdict = judge();
    if (verdict == Verdict::goes_on) {
        note({.kind = is_folder ? Kind::sync_folder : Kind::sync,
              .file = open->file,
              .path = open->folder});
        return 0;
    }
    if (verdict == Verdict::fails_now_first && !is_folder) {
        const int error = errno;
        note({.kind = Kind::failed_sync, .file = open->file});
        errno = error;
    }
    return -1;
}

int cut(int descriptor, off64_t length) {
    static auto* const real = next<int(int, off64_t)>("ftruncate64");
    const std::lock_guard lock(state().mutex);
    const OpenFile* open = watched(descriptor);
    if (open == nullptr) {
        return real(descriptor, length);
    }
    if (fails() || real(descriptor, length) != 0) {
        return -1;
    }
    note({.kind = Kind::cut, .file = open->file, .length = static_cast<uint64_t>(length)});
    return 0;
}

int reserve(int descriptor, off64_t offset, off64_t length) {
    static auto* const real = next<int(int, off64_t, off64_t)>("posix_fallocate64");
    const std::lock_guard lock(state().mutex);
    const OpenFile* open = watched(descriptor);
    if (open == nullptr) {
        return real(descriptor, offset, length);
    }
    if (fails()) {
        return errno;
    }
    const int error = real(descriptor, offset, length);
    if (error == 0) {
        note({.kind = Kind::reserve,
              .file = open->file,
              .length = static_cast<uint64_t>(offset + length)});
    }
    return error;
}

int rename(const char* from, const char* to, unsigned flags) {
    static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
    const std::lock_guard lock(state().mutex);
    const auto old_name = watched(from);
    const auto new_name = watched(to);
    if (!old_name || !new_name) {
        return real(AT_FDCWD, from, AT_FDCWD, to, flags);
    }
    if (fails() || real(AT_FDCWD, from, AT_FDCWD, to, flags) != 0) {
        return -1;
    }
    note({.kind = Kind::rename,
          .file = state().disk.file_named(*old_name),
          .path = *old_name,
          .to = *new_name});
    return 0;
}

int remove(const char* path, const char* name) {
    const std::lock_guard lock(state().mutex);
    auto* const real = next<int(const char*)>(name);
    const auto within = watched(path);
    // One that is not there is no change.
    if (!within || (state().disk.file_named(*within) == 0 && !state().disk.has_folder(*within))) {
        return real(path);
    }
    if (fails() || real(path) != 0) {
        return -1;
    }
    note({.kind = Kind::remove, .file = state().disk.file_named(*within), .path = *within});
    return 0;
}

int open(const char* path, int flags, mode_t mode) {
    static auto* const real = next<int(const char*, int, ...)>("open64");
    const std::lock_guard lock(state().mutex);
    const auto within = watched(path);
    if (!within) {
        return real(path, flags, mode);
    }
    State& now = state();
    const uint32_t known = now.disk.file_named(*within);
    const bool creates = (flags & O_CREAT) != 0 && known == 0 && !now.disk.has_folder(*within);
    const bool empties = (flags & O_TRUNC) != 0 && known != 0 && now.disk.length_of(known) > 0;
    if ((creates || empties) && fails()) {
        return -1;
    }
    const int descriptor = real(path, flags, mode);
    if (descriptor < 0) {
        return descriptor;
    }
    uint32_t file = known;
    if (creates) {
        file = now.disk.new_file();
        note({.kind = Kind::create, .file = file, .path = *within, .mode = mode});
    } else if (empties) {
        note({.kind = Kind::cut, .file = file, .length = 0});
    }
    now.open[descriptor] = {file, *within};
    return descriptor;
}

ssize_t write_on(int descriptor, const void* octets, size_t count) {
    static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
    const std::lock_guard lock(state().mutex);
    const OpenFile* open = watched(descriptor);
    if (open == nullptr) {
        return real(descriptor, octets, count);
    }
    const bool appends = (::fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
    const off64_t at = ::lseek64(descriptor, 0, appends ? SEEK_END : SEEK_CUR);
    // pwrite on an appending descriptor appends.
    const ssize_t written = write_at(descriptor, *open, octets, count, at);
    if (written > 0) {
        const int error = errno;
        ::lseek64(descriptor, at + written, SEEK_SET);
        errno = error;
    }
    return written;
}

ssize_t write_on(int descriptor, const void* octets, size_t count, off64_t at) {
    static auto* const real = next<Pwrite>("pwrite64");
    const std::lock_guard lock(state().mutex);
    const OpenFile* open = watched(descriptor);
    return open == nullptr ? real(descriptor, octets, count, at)
                           : write_at(descriptor, *open, octets, count, at);
}

}  // namespace

void watch_files(const std::filesystem::path& folder) {
    watch_files(folder, std::filesystem::exists(folder) ? Disk(folder) : Disk());
}

void watch_files(const std::filesystem::path& folder, const Disk& disk) {
    const std::lock_guard lock(state().mutex);
    arm_fault(Fault::broken, 0);
    state().root = folder.lexically_normal().string();
    state().disk = disk;
    state().log.clear();
    state().open.clear();
}

void watch_no_files() {
    const std::lock_guard lock(state().mutex);
    arm_fault(Fault::broken, 0);
    state().root.clear();
    state().open.clear();
}

Disk watched_disk() {
    const std::lock_guard lock(state().mutex);
    return state().disk;
}

std::vector<FileCall> file_log() {
    const std::lock_guard lock(state().mutex);
    return state().log;
}

size_t file_log_size() {
    const std::lock_guard lock(state().mutex);
    return state().log.size();
}

void arm_fault(Fault fault, uint64_t countdown) {
    const std::lock_guard lock(state().mutex);
    state().fault = fault;
    state().countdown = countdown;
    state().has_struck = false;
    state().has_crashed = false;
    state().next_write_fails = false;
}

bool has_struck() {
    const std::lock_guard lock(state().mutex);
    return state().has_struck;
}

bool has_crashed() {
    const std::lock_guard lock(state().mutex);
    return state().has_crashed;
}

uint64_t fault_stride() {
    const char* const given = std::getenv("CURLEW_FAULT_STRIDE");
    return given == nullptr ? 1 : std::stoull(given);
}

void restart_after_crash(unsigned seed) {
    const std::lock_guard lock(state().mutex);
    arm_fault(Fault::broken, 0);
    const auto left = static_cast<Left>(seed % 3);
    if (left == Left::kept) {
        return;
    }
    const std::filesystem::path folder = std::exchange(state().root, "");
    std::filesystem::remove_all(folder);
    state().disk.materialise(left, seed, folder);
    watch_files(folder);
}

}  // namespace curlew::tests

namespace faults = curlew::tests;

extern "C" {

ssize_t write(int descriptor, const void* octets, size_t count) {
    return faults::write_on(descriptor, octets, count);
}

ssize_t pwrite(int descriptor, const void* octets, size_t count, off_t at) {
    return faults::write_on(descriptor, octets, count, at);
}

ssize_t pwrite64(int descriptor, const void* octets, size_t count, off64_t at) {
    return faults::write_on(descriptor, octets, count, at);
}

int ftruncate(int descriptor, off_t length) noexcept {
    return faults::cut(descriptor, length);
}

int ftruncate64(int descriptor, off64_t length) noexcept {
    return faults::cut(descriptor, length);
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return faults::reserve(descriptor, offset, length);
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
    return faults::reserve(descriptor, offset, length);
}

int fdatasync(int descriptor) {
    return faults::sync(descriptor, "fdatasync");
}

int fsync(int descriptor) {
    return faults::sync(descriptor, "fsync");
}

int rename(const char* from, const char* to) noexcept {
    return faults::rename(from, to, 0);
}

int renameat2(
    int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
    assert(from_folder == AT_FDCWD);
    assert(to_folder == AT_FDCWD);
    return faults::rename(from, to, flags);
}

int unlink(const char* path) noexcept {
    return faults::remove(path, "unlink");
}

int remove(const char* path) noexcept {
    return faults::remove(path, "remove");
}

int rmdir(const char* path) noexcept {
    return faults::remove(path, "rmdir");
}

int mkdir(const char* path, mode_t mode) noexcept {
    static auto* const real = faults::next<int(const char*, mode_t)>("mkdir");
    const std::lock_guard lock(faults::state().mutex);
    const auto within = faults::watched(path);
    if (!within || ::access(path, F_OK) == 0) {
        return real(path, mode);
    }
    if (faults::fails() || real(path, mode) != 0) {
        return -1;
    }
    faults::note({.kind = faults::Kind::make_folder, .path = *within});
    return 0;
}

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return faults::open(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return faults::open(path, flags, mode);
}

int close(int descriptor) {
    static auto* const real = faults::next<int(int)>("close");
    const std::lock_guard lock(faults::state().mutex);
    faults::state().open.erase(descriptor);
    return real(descriptor);
}
}

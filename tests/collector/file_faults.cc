#include "tests/collector/file_faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <random>

namespace curlew::tests {
namespace {

struct State {
    Fault fault = Fault::once;
    uint64_t countdown = 0;
    bool crashed = false;
    // Length of each file, by its inode, when it was last synced.
    std::map<ino_t, off_t> synced;
};

State& state() {
    static State the_state;
    return the_state;
}

// Whether this call fails, with errno set.
bool fails() {
    State& now = state();
    if (!now.crashed && now.countdown > 0 && --now.countdown == 0) {
        now.crashed = now.fault == Fault::crash;
        errno = ENOSPC;
        return true;
    }
    if (now.crashed) {
        errno = EIO;
    }
    return now.crashed;
}

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

void note_synced(int descriptor) {
    struct stat facts {};
    if (::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode)) {
        state().synced[facts.st_ino] = facts.st_size;
    }
}

}  // namespace

void arm_fault(Fault fault, uint64_t countdown) {
    state().fault = fault;
    state().countdown = countdown;
}

bool has_crashed() {
    return state().crashed;
}

void restart_after_crash(const std::filesystem::path& folder, unsigned seed) {
    state().crashed = false;
    state().countdown = 0;
    std::mt19937 random(seed);
    if (random() % 2 == 0) {
        return;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        struct stat facts {};
        if (!entry.is_regular_file() || ::stat(entry.path().c_str(), &facts) != 0) {
            continue;
        }
        const auto synced = state().synced.find(facts.st_ino);
        const off_t sure = synced == state().synced.end() ? 0 : synced->second;
        if (sure < facts.st_size) {
            const auto unsure = static_cast<unsigned>(facts.st_size - sure);
            const off_t kept = sure + static_cast<off_t>(random() % (unsure + 1));
            std::filesystem::resize_file(entry.path(), static_cast<uintmax_t>(kept));
        }
    }
}

}  // namespace curlew::tests

namespace faults = curlew::tests;

extern "C" {

ssize_t write(int descriptor, const void* octets, size_t count) {
    static auto* const real = faults::next<ssize_t(int, const void*, size_t)>("write");
    // What goes to the terminal is the test's own.
    if (descriptor <= 2) {
        return real(descriptor, octets, count);
    }
    const bool had_crashed = faults::has_crashed();
    if (!faults::fails()) {
        return real(descriptor, octets, count);
    }
    if (!had_crashed) {
        // A full disk, or a process that dies, leaves a part.
        static_cast<void>(real(descriptor, octets, count / 2));
    }
    errno = ENOSPC;
    return -1;
}

int ftruncate(int descriptor, off_t length) noexcept {
    static auto* const real = faults::next<int(int, off_t)>("ftruncate");
    return faults::fails() ? -1 : real(descriptor, length);
}

int fdatasync(int descriptor) {
    static auto* const real = faults::next<int(int)>("fdatasync");
    if (faults::fails()) {
        return -1;
    }
    faults::note_synced(descriptor);
    return real(descriptor);
}

int fsync(int descriptor) {
    static auto* const real = faults::next<int(int)>("fsync");
    return faults::fails() ? -1 : real(descriptor);
}

int rename(const char* from, const char* to) noexcept {
    static auto* const real = faults::next<int(const char*, const char*)>("rename");
    return faults::fails() ? -1 : real(from, to);
}

int unlink(const char* path) noexcept {
    static auto* const real = faults::next<int(const char*)>("unlink");
    return faults::fails() ? -1 : real(path);
}

int remove(const char* path) noexcept {
    static auto* const real = faults::next<int(const char*)>("remove");
    return faults::fails() ? -1 : real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
    static auto* const real = faults::next<int(const char*, mode_t)>("mkdir");
    return faults::fails() ? -1 : real(path, mode);
}

int open(const char* path, int flags, ...) {
    static auto* const real = faults::next<int(const char*, int, ...)>("open");
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
        if (::access(path, F_OK) != 0 && faults::fails()) {
            return -1;
        }
    }
    return real(path, flags, mode);
}
}

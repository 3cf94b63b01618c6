#include "collector/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace curlew::collector {

FileDescriptor::~FileDescriptor() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

std::optional<FileIdentity> identity_of(const std::filesystem::path& path) noexcept {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) {
        return std::nullopt;
    }
    return FileIdentity{facts.st_dev, facts.st_ino};
}

void throw_file_error(const char* verb, const std::filesystem::path& path) {
    const int error = errno;
    throw std::runtime_error(fmt::format(
        "cannot {} {}: {}", verb, path.string(), std::generic_category().message(error)));
}

FileDescriptor open_file(const std::filesystem::path& path, int flags) {
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0644));
    if (file.get() < 0) {
        throw_file_error(writes ? "write" : "read", path);
    }
    return file;
}

namespace {

// A pipe would wait for ever, for somebody at its other end.
void require_file(int descriptor, const char* verb, const std::filesystem::path& path) {
    struct stat opened {};
    if (::fstat(descriptor, &opened) == 0 && !S_ISREG(opened.st_mode)) {
        throw std::runtime_error(fmt::format("cannot {} {}: it is no file", verb, path.string()));
    }
}

// The one who held the lock may have removed the file under us; then it is another file's turn.
bool is_still_named(int descriptor, const std::filesystem::path& path) {
    struct stat opened {};
    return ::fstat(descriptor, &opened) == 0 &&
           identity_of(path) == FileIdentity{opened.st_dev, opened.st_ino};
}

}  // namespace

FileDescriptor open_locked(const std::filesystem::path& path) {
    while (true) {
        FileDescriptor file = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
        require_file(file.get(), "write", path);
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

void write_all(int descriptor, std::string_view octets, const std::filesystem::path& path) {
    while (!octets.empty()) {
        const ssize_t written = ::write(descriptor, octets.data(), octets.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw_file_error("write", path);
        }
        octets.remove_prefix(static_cast<size_t>(written));
    }
}

void write_all_at(int descriptor,
                  std::string_view octets,
                  uint64_t at,
                  const std::filesystem::path& path) {
    while (!octets.empty()) {
        const ssize_t written =
            ::pwrite(descriptor, octets.data(), octets.size(), static_cast<off_t>(at));
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw_file_error("write", path);
        }
        octets.remove_prefix(static_cast<size_t>(written));
        at += static_cast<uint64_t>(written);
    }
}

void sync_data(int descriptor, const std::filesystem::path& path) {
    if (::fdatasync(descriptor) != 0) {
        throw_file_error("sync", path);
    }
}

void write_again_durably(int descriptor, uint64_t octets, const std::filesystem::path& path) {
    std::vector<char> buffer(64 * 1024);
    for (uint64_t at = 0; at < octets;) {
        const auto wanted = static_cast<size_t>(std::min<uint64_t>(buffer.size(), octets - at));
        const ssize_t got = ::pread(descriptor, buffer.data(), wanted, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            throw_file_error("read", path);
        }
        write_all_at(descriptor, {buffer.data(), static_cast<size_t>(got)}, at, path);
        at += static_cast<uint64_t>(got);
    }
    sync_data(descriptor, path);
}

void sync_folder(const std::filesystem::path& folder) {
    const FileDescriptor descriptor = open_file(folder, O_RDONLY | O_DIRECTORY);
    if (::fsync(descriptor.get()) != 0) {
        throw_file_error("sync", folder);
    }
}

bool rename_to_free_name(const std::filesystem::path& from,
                         const std::filesystem::path& to) noexcept {
    int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    const bool not_known_to_file_system = result != 0 && errno == EINVAL;
    if (not_known_to_file_system && !identity_of(to)) {
        result = ::rename(from.c_str(), to.c_str());
    }
    return result == 0;
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        throw_file_error("write", to);
    }
    sync_folder(to.parent_path());
}

void write_file_durably(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::path part = path;
    part += ".part";
    ::unlink(part.c_str());
    try {
        const FileDescriptor file = open_file(part, O_WRONLY | O_CREAT | O_EXCL);
        write_all(file.get(), content, part);
        sync_data(file.get(), part);
        rename_durably(part, path);
    } catch (...) {
        ::unlink(part.c_str());
        throw;
    }
}

void make_folders_durably(const std::filesystem::path& folder,
                          std::vector<std::filesystem::path>& made,
                          const std::filesystem::path& certain) {
    std::filesystem::path path;
    size_t certain_parts = 0;
    for (const std::filesystem::path& part : certain) {
        certain_parts += part.empty() ? 0 : 1;
    }
    for (const std::filesystem::path& part : folder) {
        // A trailing slash makes an empty last part.
        if (part.empty()) {
            continue;
        }
        path /= part;
        std::error_code error;
        const bool is_new = std::filesystem::create_directory(path, error);
        std::error_code ignored;
        if (!is_new && !std::filesystem::is_directory(path, ignored)) {
            const bool is_file = error == std::errc::file_exists || !error;
            throw std::runtime_error(
                fmt::format("cannot make the folder {}: {}",
                            path.string(),
                            is_file ? "a file has its name" : error.message()));
        }
        const bool is_certain = !is_new && certain_parts > 0;
        certain_parts -= certain_parts > 0 ? 1 : 0;
        const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
        if (is_new) {
            made.push_back(path);
        } else if (is_certain || ::access(parent.c_str(), R_OK | W_OK) != 0) {
            continue;
        }
        sync_folder(parent);
    }
}

InputFile::InputFile(const std::filesystem::path& path)
    : path_(path), descriptor_(open_file(path, O_RDONLY | O_NONBLOCK)) {
    require_file(descriptor_.get(), "read", path);
}

size_t InputFile::read(std::span<char> buffer) {
    while (true) {
        const ssize_t octets = ::read(descriptor_.get(), buffer.data(), buffer.size());
        if (octets >= 0) {
            return static_cast<size_t>(octets);
        }
        if (errno != EINTR) {
            throw_file_error("read", path_);
        }
    }
}

std::string read_file(const std::filesystem::path& path, uint64_t maximum_octets) {
    InputFile input(path);
    std::string content;
    std::vector<char> buffer(64 * 1024);
    while (const size_t octets = input.read(buffer)) {
        if (content.size() + octets > maximum_octets) {
            throw std::runtime_error(fmt::format(
                "cannot read {}: it is longer than {} octets", path.string(), maximum_octets));
        }
        content.append(buffer.data(), octets);
    }
    return content;
}

}  // namespace curlew::collector

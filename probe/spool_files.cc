#include "probe/spool_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "proto/file_handle.h"
#include "proto/frame.h"

namespace curlew::probe {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSegmentSuffix = ".spool";
constexpr std::string_view kPositionSuffix = ".acknowledged";
constexpr std::string_view kHelloSuffix = ".hello";
constexpr size_t kHexDigits = 16;

std::optional<uint64_t> hexadecimal(std::string_view text) {
    uint64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    return text.size() == kHexDigits && result.ec == std::errc() &&
                   result.ptr == text.data() + text.size()
               ? std::optional(number)
               : std::nullopt;
}

}  // namespace

fs::path segment_file(const fs::path& folder, const SegmentName& name) {
    return folder /
           fmt::format("{:016x}-{:016x}{}", name.epoch, name.first_sequence, kSegmentSuffix);
}

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

fs::path position_file(const fs::path& folder, uint64_t epoch) {
    return folder / fmt::format("{:016x}{}", epoch, kPositionSuffix);
}

fs::path hello_file(const fs::path& folder, uint64_t epoch) {
    return folder / fmt::format("{:016x}{}", epoch, kHelloSuffix);
}

std::optional<uint64_t> epoch_named(const fs::path& file) {
    return file.extension() == kPositionSuffix || file.extension() == kHelloSuffix
               ? hexadecimal(file.stem().string())
               : std::nullopt;
}

std::string position_text(uint64_t sequence) {
    const std::string digits = fmt::format("{:016x}", sequence);
    const auto* octets = reinterpret_cast<const uint8_t*>(digits.data());
    return fmt::format("{} {:08x}", digits, proto::crc32c({octets, digits.size()}));
}

std::optional<uint64_t> position_in(std::string_view text) {
    const std::optional<uint64_t> position = hexadecimal(text.substr(0, kHexDigits));
    const bool holds = text.size() == kHexDigits || (position && text == position_text(*position));
    return holds ? position : std::nullopt;
}

void throw_spool_error(const char* verb, const fs::path& path) {
    throw std::runtime_error(
        fmt::format("cannot {} {}: {}", verb, path.string(), std::strerror(errno)));
}

int opened_file(const fs::path& path, int flags) {
    // A pipe would be waited for, at its other end.
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0640);
    if (descriptor < 0) {
        throw_spool_error("open", path);
    }
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        ::close(descriptor);
        throw std::runtime_error(fmt::format("cannot open {}: it is no file", path.string()));
    }
    return descriptor;
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

bool write_durably(const fs::path& path, std::string_view octets) {
    const fs::path part = path.string() + std::string(kPartSuffix);
    // Whatever stands there, a link or a pipe as well.
    ::unlink(part.c_str());
    const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (file < 0) {
        return false;
    }
    const bool written = write_at(file, octets, 0) && ::fdatasync(file) == 0;
    int cause = errno;
    bool named = ::close(file) == 0;
    if (written) {
        named = named && ::rename(part.c_str(), path.c_str()) == 0;
        cause = errno;
    }
    if (!written || !named) {
        ::unlink(part.c_str());
        errno = cause;
        return false;
    }
    return true;
}

bool sync_spool(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    const bool synced = ::fsync(descriptor) == 0;
    const int cause = errno;
    ::close(descriptor);
    errno = cause;
    return synced;
}

}  // namespace curlew::probe

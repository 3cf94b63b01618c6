#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

// What fuzz targets share: an input that is read piece by piece, files that are on no disk, and
// what must hold.

namespace curlew {

// Stays on whatever the build says of asserts.
inline void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

// What came in is what came out. deploy/fuzz counts these apart.
inline void require_ledger(bool closes) {
    if (!closes) {
        std::fputs("LEDGER OPEN\n", stderr);
        std::abort();
    }
}

// Zeros behind the end.
class FuzzInput {
  public:
    FuzzInput(const uint8_t* data, size_t size) : rest_(data, size) {}

    bool empty() const { return rest_.empty(); }

    uint8_t octet() {
        const uint8_t value = rest_.empty() ? uint8_t{0} : rest_.front();
        rest_ = rest_.subspan(rest_.empty() ? 0 : 1);
        return value;
    }

    uint16_t two_octets() {
        const auto high = static_cast<uint16_t>(octet() << 8);
        return static_cast<uint16_t>(high | octet());
    }

    std::span<const uint8_t> octets(size_t count) {
        const auto taken = rest_.first(std::min(count, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

    std::string text(size_t count) {
        const auto taken = octets(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

    std::string rest() { return text(rest_.size()); }

  private:
    std::span<const uint8_t> rest_;
};

// A file of those octets, in memory, with a path while this lives.
class MemoryFile {
  public:
    explicit MemoryFile(std::string_view content) : descriptor_(memfd_create("fuzz", 0)) {
        require(descriptor_ >= 0);
        require(write(descriptor_, content.data(), content.size()) ==
                static_cast<ssize_t>(content.size()));
    }
    ~MemoryFile() { close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

  private:
    int descriptor_;
};

// An empty folder in memory, gone with its content in the end.
class MemoryFolder {
  public:
    MemoryFolder() {
        char name[] = "/dev/shm/curlew-fuzz-XXXXXX";
        require(mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~MemoryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    MemoryFolder(const MemoryFolder&) = delete;
    MemoryFolder& operator=(const MemoryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

    void put(const std::string& name, std::string_view content) const {
        std::ofstream(path_ / name, std::ios::binary) << content;
    }

  private:
    std::filesystem::path path_;
};

}  // namespace curlew

#include "probe/mapped_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace curlew::probe {

MappedMemory::MappedMemory(size_t octets, const std::string& what) : octets_(octets) {
    // NORESERVE: what is never touched shall cost nothing, also in the kernel's books.
    void* mapped = mmap(nullptr,
                        octets,
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1,
                        0);
    if (mapped == MAP_FAILED) {
        throw std::runtime_error(fmt::format(
            "{}: cannot reserve {} MiB of memory: {}", what, octets >> 20, std::strerror(errno)));
    }
    data_ = static_cast<uint8_t*>(mapped);
}

MappedMemory MappedMemory::of_huge_pages(size_t octets, const std::string& what) {
    MappedMemory memory(octets, what);
    // Of advice, none is needed: whatever comes of it, the memory is there.
    madvise(memory.data_, octets, MADV_HUGEPAGE);
    return memory;
}

void MappedMemory::want_available(size_t octets, const std::string& what) {
    if (const size_t available = available_octets(); octets > available) {
        throw std::runtime_error(fmt::format("{}: {} MiB of memory are asked for, and {} are left",
                                             what,
                                             octets >> 20,
                                             available >> 20));
    }
}

MappedMemory MappedMemory::taken(size_t octets, const std::string& what) {
    want_available(octets, what);
    MappedMemory memory = of_huge_pages(octets, what);
    // An older kernel cannot; then pages come as they are touched.
    madvise(memory.data_, octets, MADV_POPULATE_WRITE);
    return memory;
}

size_t MappedMemory::available_octets() {
    std::ifstream file("/proc/meminfo");
    for (std::string line; std::getline(file, line);) {
        constexpr std::string_view kName = "MemAvailable:";
        if (line.starts_with(kName)) {
            return size_t{std::strtoull(line.c_str() + kName.size(), nullptr, 10)} << 10;
        }
    }
    return std::numeric_limits<size_t>::max();
}

MappedMemory MappedMemory::cut_front(size_t octets) noexcept {
    assert(octets == whole_pages(octets));
    assert(octets <= octets_);
    MappedMemory front;
    front.data_ = data_;
    front.octets_ = octets;
    octets_ -= octets;
    data_ = octets_ == 0 ? nullptr : data_ + octets;
    return front;
}

MappedMemory::~MappedMemory() {
    if (data_ != nullptr) {
        munmap(data_, octets_);
    }
}

MappedMemory::MappedMemory(MappedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), octets_(std::exchange(other.octets_, 0)) {}

MappedMemory& MappedMemory::operator=(MappedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(octets_, other.octets_);
    return *this;
}

}  // namespace curlew::probe

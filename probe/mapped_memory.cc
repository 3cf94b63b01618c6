#include "probe/mapped_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <stdexcept>
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

void MappedMemory::use_huge_pages(size_t from, size_t octets) const noexcept {
    assert(from <= octets_);
    assert(octets <= octets_ - from);
    // Of advice, none is needed: whatever comes of it, the memory is there.
    madvise(data_ + from, octets, MADV_HUGEPAGE);
}

void MappedMemory::take(size_t from, size_t octets) const noexcept {
    assert(from <= octets_);
    assert(octets <= octets_ - from);
    madvise(data_ + from, octets, MADV_POPULATE_WRITE);
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

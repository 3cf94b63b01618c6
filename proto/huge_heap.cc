#include "proto/huge_heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "proto/mapped_memory.h"

namespace curlew::proto {
namespace {

constexpr int kMegabyte = 1 << 20;
// What is larger has a mapping of its own; the most that can be set.
constexpr int kLargestInHeap = 32 * kMegabyte;
// More than is free in the heap of a program that has just begun.
constexpr size_t kProbeOctets = 8 * kMegabyte;
constexpr int kUsualTopPad = 128 * 1024;

}  // namespace

void put_heap_in_huge_pages(size_t octets) noexcept {
    assert(octets <= size_t{1024} * kMegabyte);
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, kLargestInHeap);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TOP_PAD, static_cast<int>(octets));
    void* probe = std::malloc(kProbeOctets);
    // Each further piece would be as large, and there may be no room for it.
    mallopt(M_TOP_PAD, kUsualTopPad);
    const auto begin = MappedMemory::whole_pages(reinterpret_cast<uintptr_t>(probe));
    const auto end = reinterpret_cast<uintptr_t>(sbrk(0));
    // Another allocator's is elsewhere.
    if (probe != nullptr && begin < end && end - begin <= octets + kProbeOctets) {
        madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
    }
    std::free(probe);
}

}  // namespace curlew::proto

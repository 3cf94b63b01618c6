#include "proto/huge_heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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
// What a short run needs. Whether huge pages are dear is seen at the first one; the next ones may
// be dear all the same, and a program that needs more runs for so long that small ones cost little.
constexpr size_t kHugeOctets = size_t{16} * kMegabyte;

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
        auto* front = reinterpret_cast<uint8_t*>(begin);
        const size_t front_octets = std::min(end - begin, kHugeOctets);
        madvise(front, front_octets, MADV_HUGEPAGE);
        constexpr size_t kFirst = MappedMemory::kHugePageOctets;
        if (MappedMemory::touch_is_dear(front) && front_octets > kFirst) {
            madvise(front + kFirst, front_octets - kFirst, MADV_NOHUGEPAGE);
        }
    }
    std::free(probe);
}

}  // namespace curlew::proto

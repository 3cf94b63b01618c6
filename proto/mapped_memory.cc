#include "proto/mapped_memory.h"

#include <fmt/format.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace curlew::proto {
namespace {

size_t page_octets() noexcept {
    static const auto octets = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return octets;
}

// Four times what it takes to move into a page that is there; one that a host must find first takes
// three times this, and what is gained by it is less.
constexpr uint64_t kDearMoveNs = 2'000'000;
std::atomic<bool> huge_pages_are_dear{false};

uint64_t processor_ns() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

// Of what is filled of the memory, what lies in whole pages. False: what follows shall not do so.
bool move_to_huge_pages(std::span<const uint8_t> memory, size_t filled) noexcept {
    constexpr size_t kOctets = MappedMemory::kHugePageOctets;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory.data());
    const uintptr_t from = begin / kOctets * kOctets;
    const uintptr_t to = (begin + memory.size()) / kOctets * kOctets;
    const uintptr_t filled_to = std::min(to, uintptr_t{MappedMemory::whole_pages(begin + filled)});
    if (from == filled_to) {
        return false;
    }
    const uint64_t started_ns = processor_ns();
    // A kernel before 6.1 cannot, and still backs what follows with such.
    madvise(reinterpret_cast<void*>(from), filled_to - from, MADV_COLLAPSE);
    if (processor_ns() - started_ns > (filled_to - from) / kOctets * kDearMoveNs) {
        huge_pages_are_dear = true;
        return false;
    }
    madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
    return true;
}

}  // namespace

MappedMemory::MappedMemory(size_t octets, const std::string& what) : octets_(octets) {
    const size_t pages = (octets + page_octets() - 1) / page_octets() * page_octets();
    const size_t mapped_octets = pages + kHugePageOctets;
    // NORESERVE: what is never touched shall cost nothing, also in the kernel's books.
    void* mapped = mmap(nullptr,
                        mapped_octets,
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1,
                        0);
    if (mapped == MAP_FAILED) {
        throw std::runtime_error(fmt::format(
            "{}: cannot reserve {} MiB of memory: {}", what, octets >> 20, std::strerror(errno)));
    }
    // What stands before the first huge page, and what is left behind the end, goes back.
    auto* begin = static_cast<uint8_t*>(mapped);
    const size_t before =
        whole_pages(reinterpret_cast<uintptr_t>(begin)) - reinterpret_cast<uintptr_t>(begin);
    if (before != 0) {
        munmap(begin, before);
    }
    munmap(begin + before + pages, kHugePageOctets - before);
    data_ = begin + before;
}

MappedMemory MappedMemory::of_huge_pages(size_t octets, const std::string& what) {
    MappedMemory memory(octets, what);
    memory.want_huge_pages(0, octets);
    return memory;
}

void MappedMemory::want_huge_pages(size_t from, size_t to) noexcept {
    assert(from == whole_pages(from));
    to = std::min(to, octets_);
    // Of advice, none is needed: whatever comes of it, the memory is there.
    if (from < to) {
        madvise(data_ + from, to - from, MADV_HUGEPAGE);
    }
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
    populate(memory.data_, octets);
    return memory;
}

void MappedMemory::populate(const void* begin, size_t octets) noexcept {
    const uintptr_t at = reinterpret_cast<uintptr_t>(begin);
    const uintptr_t page = at / page_octets() * page_octets();
    madvise(reinterpret_cast<void*>(page), at + octets - page, MADV_POPULATE_WRITE);
}

bool MappedMemory::touch_is_dear(uint8_t* octet) noexcept {
    // Small ones take 0.7 ms for as much, a huge page that is there 0.1, one that is not 3 to 5.
    constexpr uint64_t kDearTouchNs = 1'000'000;
    const uint64_t started_ns = processor_ns();
    *static_cast<volatile uint8_t*>(octet) = 0;
    if (processor_ns() - started_ns <= kDearTouchNs) {
        return false;
    }
    huge_pages_are_dear = true;
    return true;
}

void MappedMemory::give_back(std::span<const uint8_t> octets) noexcept {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(octets.data());
    const uintptr_t from = (begin + page_octets() - 1) / page_octets() * page_octets();
    const uintptr_t to = (begin + octets.size()) / page_octets() * page_octets();
    if (from < to) {
        madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
    }
}

void PagedFront::back(std::span<const uint8_t> memory, size_t filled) noexcept {
    if (may_take_time_ && filled > kHugeFrom && !huge_pages_are_dear &&
        move_to_huge_pages(memory, filled)) {
        backed_ = memory.size();
        return;
    }
    const size_t step = std::clamp(backed_, kFewest, kMost);
    const size_t wanted = std::min(std::max(filled, backed_ + step), memory.size());
    MappedMemory::populate(memory.data() + backed_, wanted - backed_);
    backed_ = wanted;
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

}  // namespace curlew::proto

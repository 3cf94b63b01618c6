#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

// Anonymous memory, reserved at start and backed by pages as they are touched, or at once, on the
// NUMA node of the thread that does. It is zero at first, and begins where a huge page could.

namespace curlew::proto {

class MappedMemory {
  public:
    static constexpr size_t kHugePageOctets = size_t{2} << 20;
    static constexpr size_t whole_pages(size_t octets) noexcept {
        return (octets + kHugePageOctets - 1) & ~(kHugePageOctets - 1);
    }

    MappedMemory() = default;
    // Throws std::runtime_error: "<what>: cannot reserve N MiB of memory: <cause>".
    MappedMemory(size_t octets, const std::string& what);
    ~MappedMemory();
    MappedMemory(MappedMemory&& other) noexcept;
    MappedMemory& operator=(MappedMemory&& other) noexcept;
    MappedMemory(const MappedMemory&) = delete;
    MappedMemory& operator=(const MappedMemory&) = delete;

    // Backed by huge pages where the system gives them: random access is then not slowed down by
    // the look-up of addresses, and what is touched first takes 2 MiB at once. Throws likewise.
    static MappedMemory of_huge_pages(size_t octets, const std::string& what);

    // Of huge pages that are backed at once: whoever touches one first waits for 2 MiB of zeros,
    // and packets that come meanwhile may be lost. It takes a tenth of a second for each GiB,
    // several times that on a machine that must find it first. Throws likewise, and as
    // want_available().
    static MappedMemory taken(size_t octets, const std::string& what);

    // Throws std::runtime_error when the machine has less available: "<what>: N MiB of memory are
    // asked for, and M are left".
    static void want_available(size_t octets, const std::string& what);

    // As of_huge_pages(), for the octets from `from` up to `to` alone, as far as there are any.
    // Requires: whole huge pages before `from`.
    void want_huge_pages(size_t from, size_t to) noexcept;

    // Writes an octet where nothing was touched yet and a huge page is wanted, and tells whether
    // that took so long that small pages serve better, in what follows of this process: where a
    // host must find each huge page first, it waits several times as long for it as for small ones.
    static bool touch_is_dear(uint8_t* octet) noexcept;

    // Backs the octets with pages now, in one call: that takes half of the time of touching page
    // after page, in a virtual machine a tenth. Of private memory; what it holds stays as it is. A
    // kernel that cannot leaves it to who touches them.
    static void populate(const void* begin, size_t octets) noexcept;

    // The system has the octets back, as far as they are whole pages: they are zero from now on,
    // and are taken anew where they are touched. Of private memory. A kernel that cannot leaves
    // them as they are.
    static void give_back(std::span<const uint8_t> octets) noexcept;

    // The first octets of this as memory of its own; the rest stays here. Requires: whole huge
    // pages, at most octets().
    MappedMemory cut_front(size_t octets) noexcept;

    // What the system could give, what it keeps of files included. The highest number where it does
    // not tell.
    static size_t available_octets();

    uint8_t* data() const noexcept { return data_; }
    size_t octets() const noexcept { return octets_; }

  private:
    uint8_t* data_ = nullptr;
    size_t octets_ = 0;
};

// Backs memory that is filled from its front with pages ahead of who fills it: as many again as are
// filled, between kFewest and kMost octets, so that little memory takes few pages. What is filled
// and read in order needs no larger ones: they are not faster then, and a virtual machine that
// gives free memory back to its host waits several times as long for them. For what is visited at
// random, where some tenths of a millisecond may be taken for each page: what fills more than half
// of a huge page moves into such, with what shares it, and what follows is in such too. Not in a
// process that has waited long for one.
class PagedFront {
  public:
    static constexpr size_t kFewest = size_t{8} << 10;
    static constexpr size_t kMost = size_t{64} << 10;
    static constexpr size_t kHugeFrom = MappedMemory::kHugePageOctets / 2;

    PagedFront() = default;
    explicit PagedFront(bool may_take_time) noexcept : may_take_time_(may_take_time) {}

    // Before the first `filled` octets of the memory, all of it always the same, are filled.
    void fill(std::span<const uint8_t> memory, size_t filled) noexcept {
        if (filled > backed_) {
            back(memory, filled);
        }
    }

  private:
    void back(std::span<const uint8_t> memory, size_t filled) noexcept;

    size_t backed_ = 0;
    bool may_take_time_ = false;
};

}  // namespace curlew::proto

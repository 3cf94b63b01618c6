#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// Anonymous memory, reserved at start and backed by pages as they are touched, on the NUMA node of
// the thread that does. It is zero at first.

namespace curlew::probe {

class MappedMemory {
  public:
    MappedMemory() = default;
    // Throws std::runtime_error: "<what>: cannot reserve N MiB of memory: <cause>".
    MappedMemory(size_t octets, const std::string& what);
    ~MappedMemory();
    MappedMemory(MappedMemory&& other) noexcept;
    MappedMemory& operator=(MappedMemory&& other) noexcept;
    MappedMemory(const MappedMemory&) = delete;
    MappedMemory& operator=(const MappedMemory&) = delete;

    // Asks for huge pages where nothing was touched yet: random access is then not slowed down by
    // the look-up of addresses, and what is touched first takes 2 MiB at once. A system that gives
    // none goes on with its own pages. Requires: the range is inside.
    void use_huge_pages(size_t from, size_t octets) const noexcept;

    // Takes the pages now: whoever touches a huge one first waits for 2 MiB of zeros, and packets
    // that come meanwhile may be lost. Where the system cannot, they are taken one by one later.
    // Requires: the range is inside, and begins with a page.
    void take(size_t from, size_t octets) const noexcept;

    uint8_t* data() const noexcept { return data_; }
    size_t octets() const noexcept { return octets_; }

  private:
    uint8_t* data_ = nullptr;
    size_t octets_ = 0;
};

}  // namespace curlew::probe

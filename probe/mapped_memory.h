#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// Anonymous memory, reserved at start and backed by pages as they are touched. It is zero at first.

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

    uint8_t* data() const noexcept { return data_; }
    size_t octets() const noexcept { return octets_; }

  private:
    uint8_t* data_ = nullptr;
    size_t octets_ = 0;
};

}  // namespace curlew::probe

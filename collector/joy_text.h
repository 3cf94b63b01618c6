#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace curlew::collector {

// Text as Joy 3.0.3 makes it safe for JSON: up to the first NUL, with a full stop for each octet
// that is not printable ASCII, and for quote, backslash and slash.
std::string joy_text(std::string_view octets);

// Octets of a message of the wire with zeros behind its end, where Joy reads on without looking.
class PaddedOctets {
  public:
    explicit PaddedOctets(std::string_view octets) : octets_(octets) {}

    uint8_t operator[](size_t at) const {
        return at < octets_.size() ? static_cast<uint8_t>(octets_[at]) : uint8_t{0};
    }
    // Network order.
    uint16_t two(size_t at) const {
        return static_cast<uint16_t>((*this)[at] << 8 | (*this)[at + 1]);
    }
    uint32_t four(size_t at) const { return static_cast<uint32_t>(two(at)) << 16 | two(at + 2); }
    std::string copy(size_t at, size_t count) const;

  private:
    std::string_view octets_;
};

}  // namespace curlew::collector

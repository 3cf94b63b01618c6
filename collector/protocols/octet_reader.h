#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace curlew::collector {

// Reads network-order numbers and pieces from octets of unknown honesty. The first read past the
// end fails the reader for good; everything read afterwards is 0 or empty, so a decoder may read on
// and ask ok() once.
class OctetReader {
  public:
    explicit OctetReader(std::string_view octets) noexcept : octets_(octets) {}

    bool ok() const noexcept { return ok_; }
    size_t left() const noexcept { return octets_.size() - at_; }
    size_t position() const noexcept { return at_; }

    uint8_t u8() noexcept { return static_cast<uint8_t>(number(1)); }
    uint16_t u16() noexcept { return static_cast<uint16_t>(number(2)); }
    uint32_t u32() noexcept { return number(4); }

    std::string_view take(size_t count) noexcept {
        if (!ok_ || count > left()) {
            ok_ = false;
            return {};
        }
        const std::string_view piece = octets_.substr(at_, count);
        at_ += count;
        return piece;
    }
    void skip(size_t count) noexcept { take(count); }

    // A piece whose length stands before it in `length_octets` octets.
    std::string_view take_counted(size_t length_octets) noexcept {
        return take(number(length_octets));
    }

  private:
    uint32_t number(size_t count) noexcept {
        uint32_t value = 0;
        for (const char octet : take(count)) {
            value = value << 8 | static_cast<uint8_t>(octet);
        }
        return value;
    }

    std::string_view octets_;
    size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace curlew::collector

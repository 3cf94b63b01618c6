#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace curlew::probe {

// Reads network-order numbers and pieces from octets of unknown honesty. The first read past the
// end fails the cursor for good; everything read afterwards is 0 or empty, so a parser may read on
// and ask ok() once.
class Cursor {
  public:
    explicit Cursor(std::span<const uint8_t> octets) noexcept : octets_(octets) {}

    bool ok() const noexcept { return ok_; }
    size_t left() const noexcept { return octets_.size() - at_; }
    size_t position() const noexcept { return at_; }

    uint8_t u8() noexcept { return static_cast<uint8_t>(number(1)); }
    uint16_t u16() noexcept { return static_cast<uint16_t>(number(2)); }
    uint32_t u32() noexcept { return number(4); }

    std::span<const uint8_t> take(size_t count) noexcept {
        if (!ok_ || count > left()) {
            ok_ = false;
            return {};
        }
        const auto piece = octets_.subspan(at_, count);
        at_ += count;
        return piece;
    }
    void skip(size_t count) noexcept { take(count); }

    // A piece whose length stands before it in `length_octets` octets.
    std::span<const uint8_t> take_counted(size_t length_octets) noexcept {
        return take(number(length_octets));
    }

  private:
    uint32_t number(size_t count) noexcept {
        uint32_t value = 0;
        for (const uint8_t octet : take(count)) {
            value = (value << 8) | octet;
        }
        return value;
    }

    std::span<const uint8_t> octets_;
    size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace curlew::probe

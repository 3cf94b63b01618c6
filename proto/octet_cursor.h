#pragma once

#include <cstddef>
#include <cstdint>

namespace curlew::proto {

// Reads network-order numbers and pieces from octets of unknown honesty. The first read past the
// end fails the cursor for good; everything read afterwards is 0 or empty, so a parser may read on
// and ask ok() once. `Octets` is a view, as are the pieces.
template <typename Octets>
class OctetCursor {
  public:
    explicit OctetCursor(Octets octets) noexcept : octets_(octets) {}

    bool ok() const noexcept { return ok_; }
    size_t left() const noexcept { return ok_ ? octets_.size() - at_ : 0; }
    size_t position() const noexcept { return at_; }

    uint8_t u8() noexcept { return static_cast<uint8_t>(number(1)); }
    uint16_t u16() noexcept { return static_cast<uint16_t>(number(2)); }
    uint32_t u24() noexcept { return number(3); }
    uint32_t u32() noexcept { return number(4); }

    Octets take(size_t count) noexcept {
        if (!ok_ || count > octets_.size() - at_) {
            ok_ = false;
            return {};
        }
        const Octets piece(octets_.data() + at_, count);
        at_ += count;
        return piece;
    }
    void skip(size_t count) noexcept { take(count); }
    Octets rest() noexcept { return take(left()); }

    // A piece whose length stands before it in `length_octets` octets, at most 4.
    Octets take_counted(size_t length_octets) noexcept { return take(number(length_octets)); }

  private:
    uint32_t number(size_t count) noexcept {
        uint32_t value = 0;
        for (const auto octet : take(count)) {
            value = value << 8 | static_cast<uint8_t>(octet);
        }
        return value;
    }

    Octets octets_;
    size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace curlew::proto

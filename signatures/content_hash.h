#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// 64-bit FNV-1a over a list of fields: names a content, protects against nobody. Each text goes in
// with its length, so that no two lists of fields give the same octets.

namespace curlew::signatures {

class ContentHash {
  public:
    void add(std::string_view text) noexcept {
        add(static_cast<uint64_t>(text.size()));
        for (const char octet : text) {
            add_octet(static_cast<uint8_t>(octet));
        }
    }

    void add(uint64_t number) noexcept {
        for (int shift = 0; shift < 64; shift += 8) {
            add_octet(static_cast<uint8_t>(number >> shift));
        }
    }

    // 16 lower-case hex digits.
    std::string text() const {
        constexpr std::string_view kDigits = "0123456789abcdef";
        std::string digits(16, '0');
        for (size_t at = 0; at < digits.size(); ++at) {
            digits[at] = kDigits[(state_ >> (60 - 4 * at)) & 15];
        }
        return digits;
    }

  private:
    void add_octet(uint8_t octet) noexcept { state_ = (state_ ^ octet) * 0x100000001b3; }

    uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace curlew::signatures

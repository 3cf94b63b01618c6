#include "collector/json_line.h"

#include <rapidjson/internal/dtoa.h>
#include <rapidjson/internal/itoa.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace curlew::collector {
namespace {

constexpr size_t kFirstBufferOctets = 64 * 1024;
constexpr size_t kLongestNumber = 32;
// RapidJSON's own default: as many digits as tell the double from its neighbours.
constexpr int kDecimalPlaces = 324;
constexpr size_t kLongestEscape = 6;  // \u001f
constexpr char kUpperDigits[] = "0123456789ABCDEF";

// What stands behind the backslash (RFC 8259 section 7): 0 nothing is escaped, 'u' four digits.
constexpr std::array<char, 256> make_escapes() {
    std::array<char, 256> escapes{};
    for (size_t control = 0; control < 0x20; ++control) {
        escapes[control] = 'u';
    }
    escapes['\b'] = 'b';
    escapes['\f'] = 'f';
    escapes['\n'] = 'n';
    escapes['\r'] = 'r';
    escapes['\t'] = 't';
    escapes['"'] = '"';
    escapes['\\'] = '\\';
    return escapes;
}
constexpr std::array<char, 256> kEscapes = make_escapes();

constexpr std::array<char, 512> make_hex() {
    constexpr char kDigits[] = "0123456789abcdef";
    std::array<char, 512> hex{};
    for (size_t octet = 0; octet < 256; ++octet) {
        hex[2 * octet] = kDigits[octet >> 4];
        hex[2 * octet + 1] = kDigits[octet & 15];
    }
    return hex;
}
constexpr std::array<char, 512> kHex = make_hex();

char* put_escaped(char* to, unsigned char octet, char escape) {
    *to++ = '\\';
    *to++ = escape;
    if (escape == 'u') {
        *to++ = '0';
        *to++ = '0';
        *to++ = kUpperDigits[octet >> 4];
        *to++ = kUpperDigits[octet & 15];
    }
    return to;
}

// Whether one of eight octets is escaped: below 0x20, '"' or '\\'. An octet above 0x7f never is,
// and borrows of the subtractions reach only octets behind one that is.
bool any_escaped(uint64_t word) {
    constexpr uint64_t kOnes = 0x0101010101010101;
    constexpr uint64_t kHigh = 0x8080808080808080;
    const auto zero_octets = [](uint64_t octets) { return (octets - kOnes) & ~octets & kHigh; };
    return (((word - 0x20 * kOnes) & ~word & kHigh) | zero_octets(word ^ ('"' * kOnes)) |
            zero_octets(word ^ ('\\' * kOnes))) != 0;
}

// Copies up to the first octet that is escaped; how many these were.
size_t put_plain(char* to, std::string_view text) {
    size_t at = 0;
    for (uint64_t word; text.size() - at >= sizeof word; at += sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
        if (any_escaped(word)) {
            break;
        }
        std::memcpy(to + at, &word, sizeof word);
    }
    for (; at < text.size() && kEscapes[static_cast<unsigned char>(text[at])] == 0; ++at) {
        to[at] = text[at];
    }
    return at;
}

}  // namespace

JsonLine::JsonLine()
    : buffer_(std::make_unique_for_overwrite<char[]>(kFirstBufferOctets)),
      used_(buffer_.get()),
      end_(buffer_.get() + kFirstBufferOctets) {}

void JsonLine::clear() {
    used_ = buffer_.get();
    separate_ = false;
    depth_ = 0;
}

std::string_view JsonLine::finish() {
    assert(depth_ == 0);
    separate_ = false;
    char* at = room(1);
    *at = '\n';
    used_ = at + 1;
    return {buffer_.get(), static_cast<size_t>(used_ - buffer_.get())};
}

void JsonLine::grow(size_t octets) {
    const auto used = static_cast<size_t>(used_ - buffer_.get());
    const size_t size = std::max(used + octets, 2 * static_cast<size_t>(end_ - buffer_.get()));
    auto larger = std::make_unique_for_overwrite<char[]>(size);
    std::memcpy(larger.get(), buffer_.get(), used);
    buffer_ = std::move(larger);
    used_ = buffer_.get() + used;
    end_ = buffer_.get() + size;
}

void JsonLine::text(std::string_view value) {
    char* at = room(kLongestEscape * value.size() + 2);
    *at++ = '"';
    while (!value.empty()) {
        const size_t plain = put_plain(at, value);
        at += plain;
        value.remove_prefix(plain);
        if (!value.empty()) {
            const auto octet = static_cast<unsigned char>(value.front());
            at = put_escaped(at, octet, kEscapes[octet]);
            value.remove_prefix(1);
        }
    }
    *at++ = '"';
    used_ = at;
    separate_ = true;
}

void JsonLine::long_number(uint64_t value) {
    char* at = room(kLongestNumber);
    used_ = value <= UINT32_MAX ? rapidjson::internal::u32toa(static_cast<uint32_t>(value), at)
                                : rapidjson::internal::u64toa(value, at);
    separate_ = true;
}

void JsonLine::real(double value) {
    assert(std::isfinite(value));
    char* at = room(kLongestNumber);
    // Whole numbers are frequent, and quick without looking for the shortest digits.
    constexpr double kWhole = 1e15;
    if (value >= 0 && value < kWhole && !std::signbit(value) &&
        value == static_cast<double>(static_cast<uint64_t>(value))) {
        at = rapidjson::internal::u64toa(static_cast<uint64_t>(value), at);
        *at++ = '.';
        *at++ = '0';
        used_ = at;
    } else {
        used_ = rapidjson::internal::dtoa(value, at, kDecimalPlaces);
    }
    separate_ = true;
}

void JsonLine::hex(std::string_view name, std::string_view octets) {
    key(name);
    char* at = room(2 * octets.size() + 2);
    *at++ = '"';
    for (const char octet : octets) {
        std::memcpy(at, &kHex[2 * static_cast<size_t>(static_cast<unsigned char>(octet))], 2);
        at += 2;
    }
    *at++ = '"';
    used_ = at;
    separate_ = true;
}

}  // namespace curlew::collector

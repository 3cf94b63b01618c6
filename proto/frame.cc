#include "proto/frame.h"

#include <nmmintrin.h>

#include <array>
#include <cassert>
#include <cstring>
#include <limits>

namespace curlew::proto {
namespace {

// Offsets of the drawing in FRAME.md.
constexpr uint8_t kVersion = 1;
constexpr size_t kVersionOffset = 4;
constexpr size_t kKindOffset = 5;
constexpr size_t kFirstZeroOffset = 6;
constexpr size_t kBodyLengthOffset = 8;
constexpr size_t kRecordCountOffset = 12;
constexpr size_t kProbeIdOffset = 16;
constexpr size_t kEpochOffset = 24;
constexpr size_t kFirstSequenceOffset = 32;
constexpr size_t kSecondZeroOffset = 40;
constexpr size_t kChecksumOffset = 44;
static_assert(kChecksumOffset + sizeof(uint32_t) == kFrameHeaderOctets);
static_assert(kMaximumFrameBodyOctets <= std::numeric_limits<uint32_t>::max());

template <typename Number>
void store_little_endian(uint8_t* to, Number number) noexcept {
    for (size_t i = 0; i < sizeof(Number); ++i) {
        to[i] = static_cast<uint8_t>(number >> (8 * i));
    }
}

template <typename Number>
Number load_little_endian(const uint8_t* from) noexcept {
    Number number = 0;
    for (size_t i = 0; i < sizeof(Number); ++i) {
        number = static_cast<Number>(number | static_cast<Number>(from[i]) << (8 * i));
    }
    return number;
}

constexpr uint32_t kReflectedPolynomial = 0x82f63b78;
constexpr size_t kSlices = 8;
using SliceTables = std::array<std::array<uint32_t, 256>, kSlices>;

// Table n holds what an octet does to the checksum after n more zero octets.
constexpr SliceTables make_slice_tables() {
    SliceTables tables{};
    for (uint32_t octet = 0; octet < 256; ++octet) {
        uint32_t crc = octet;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ kReflectedPolynomial : crc >> 1;
        }
        tables[0][octet] = crc;
    }
    for (size_t slice = 1; slice < kSlices; ++slice) {
        for (size_t octet = 0; octet < 256; ++octet) {
            const uint32_t before = tables[slice - 1][octet];
            tables[slice][octet] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
    return tables;
}

constexpr SliceTables kTables = make_slice_tables();

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(std::span<const uint8_t> octets,
                                                        uint32_t seed) noexcept {
    uint64_t crc = ~seed;
    size_t at = 0;
    for (; octets.size() - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word;
        std::memcpy(&word, octets.data() + at, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    auto short_crc = static_cast<uint32_t>(crc);
    for (; at < octets.size(); ++at) {
        short_crc = _mm_crc32_u8(short_crc, octets[at]);
    }
    return ~short_crc;
}

bool may_have_body(FrameKind kind) noexcept {
    return kind != FrameKind::welcome && kind != FrameKind::acknowledge;
}

bool may_have_records(FrameKind kind) noexcept {
    return kind == FrameKind::batch || kind == FrameKind::ledger;
}

bool exceeds_bounds(FrameKind kind, uint32_t body_octets, const FrameHeader& header) noexcept {
    const size_t most_octets = may_have_body(kind) ? kMaximumFrameBodyOctets : 0;
    const uint32_t most_records = may_have_records(kind) ? kMaximumFrameRecords : 0;
    return body_octets > most_octets || header.record_count > most_records ||
           header.first_sequence >
               std::numeric_limits<uint64_t>::max() - uint64_t{header.record_count};
}

uint32_t checksum_of(std::span<const uint8_t> header, std::span<const uint8_t> body) noexcept {
    return crc32c(body, crc32c(header.first(kChecksumOffset)));
}

}  // namespace

const char* name_of(FrameError error) noexcept {
    switch (error) {
        case FrameError::none:
            return "none";
        case FrameError::incomplete:
            return "incomplete";
        case FrameError::bad_magic:
            return "bad_magic";
        case FrameError::bad_version:
            return "bad_version";
        case FrameError::bad_kind:
            return "bad_kind";
        case FrameError::too_long:
            return "too_long";
        case FrameError::bad_checksum:
            return "bad_checksum";
    }
    return "unknown";
}

uint32_t crc32c(std::span<const uint8_t> octets, uint32_t seed) noexcept {
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
    return has_sse42 ? crc32c_sse42(octets, seed) : crc32c_portable(octets, seed);
}

uint32_t crc32c_portable(std::span<const uint8_t> octets, uint32_t seed) noexcept {
    uint32_t crc = ~seed;
    size_t at = 0;
    for (; octets.size() - at >= kSlices; at += kSlices) {
        const uint32_t low = crc ^ load_little_endian<uint32_t>(octets.data() + at);
        const uint32_t high = load_little_endian<uint32_t>(octets.data() + at + 4);
        crc = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^
              kTables[5][(low >> 16) & 0xff] ^ kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^
              kTables[2][(high >> 8) & 0xff] ^ kTables[1][(high >> 16) & 0xff] ^
              kTables[0][high >> 24];
    }
    for (; at < octets.size(); ++at) {
        crc = (crc >> 8) ^ kTables[0][(crc ^ octets[at]) & 0xff];
    }
    return ~crc;
}

void append_frame(const FrameHeader& header, std::span<const uint8_t> body, std::string& out) {
    assert(body.size() <= kMaximumFrameBodyOctets);
    const auto body_octets = static_cast<uint32_t>(body.size());
    assert(!exceeds_bounds(header.kind, body_octets, header));

    std::array<uint8_t, kFrameHeaderOctets> fixed{};
    std::memcpy(fixed.data(), kFrameMagic.data(), kFrameMagic.size());
    fixed[kVersionOffset] = kVersion;
    fixed[kKindOffset] = static_cast<uint8_t>(header.kind);
    store_little_endian(&fixed[kBodyLengthOffset], body_octets);
    store_little_endian(&fixed[kRecordCountOffset], header.record_count);
    store_little_endian(&fixed[kProbeIdOffset], header.probe_id);
    store_little_endian(&fixed[kEpochOffset], header.epoch);
    store_little_endian(&fixed[kFirstSequenceOffset], header.first_sequence);
    store_little_endian(&fixed[kChecksumOffset], checksum_of(fixed, body));

    out.reserve(out.size() + fixed.size() + body.size());
    out.append(fixed.begin(), fixed.end());
    out.append(body.begin(), body.end());
}

FrameError decode_frame(std::span<const uint8_t> octets, FrameView& view) noexcept {
    if (octets.size() < kFrameHeaderOctets) {
        return FrameError::incomplete;
    }
    const uint8_t* fixed = octets.data();
    if (std::memcmp(fixed, kFrameMagic.data(), kFrameMagic.size()) != 0) {
        return FrameError::bad_magic;
    }
    if (fixed[kVersionOffset] != kVersion ||
        load_little_endian<uint16_t>(fixed + kFirstZeroOffset) != 0 ||
        load_little_endian<uint32_t>(fixed + kSecondZeroOffset) != 0) {
        return FrameError::bad_version;
    }
    const uint8_t kind = fixed[kKindOffset];
    if (kind < static_cast<uint8_t>(FrameKind::hello) ||
        kind > static_cast<uint8_t>(FrameKind::refuse)) {
        return FrameError::bad_kind;
    }

    const auto body_octets = load_little_endian<uint32_t>(fixed + kBodyLengthOffset);
    const FrameHeader header = {
        .kind = static_cast<FrameKind>(kind),
        .probe_id = load_little_endian<uint64_t>(fixed + kProbeIdOffset),
        .epoch = load_little_endian<uint64_t>(fixed + kEpochOffset),
        .first_sequence = load_little_endian<uint64_t>(fixed + kFirstSequenceOffset),
        .record_count = load_little_endian<uint32_t>(fixed + kRecordCountOffset),
    };
    if (exceeds_bounds(header.kind, body_octets, header)) {
        return FrameError::too_long;
    }
    if (octets.size() - kFrameHeaderOctets < body_octets) {
        return FrameError::incomplete;
    }
    const std::span<const uint8_t> body = octets.subspan(kFrameHeaderOctets, body_octets);
    if (load_little_endian<uint32_t>(fixed + kChecksumOffset) !=
        checksum_of(octets.first(kFrameHeaderOctets), body)) {
        return FrameError::bad_checksum;
    }
    view = {.header = header, .body = body, .frame_octets = kFrameHeaderOctets + body_octets};
    return FrameError::none;
}

}  // namespace curlew::proto

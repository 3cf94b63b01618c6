#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// One frame: the unit that is sent, spooled, stored and acknowledged. Protobuf has no integrity of
// its own, so a frame carries length and CRC32C; proto/FRAME.md has the layout in prose.

namespace curlew::proto {

enum class FrameKind : uint8_t {
    hello = 1,        // probe to collector: identity; first_sequence is the first one that the
                      // probe still holds or will give; body empty or a Hello
    welcome = 2,      // collector to probe: first_sequence is the last durable one; body empty
    batch = 3,        // probe to collector: a FlowBatch
    ledger = 4,       // probe to collector: the ProbeLedger that ends an input
    acknowledge = 5,  // collector to probe: all up to first_sequence is durable; body empty
    refuse = 6,       // collector to probe: hello refused; body a Refusal
};

// Fixed part of every frame. A batch holds the records first_sequence ..
// first_sequence + record_count - 1 of its probe and epoch; a ledger takes one sequence number.
struct FrameHeader {
    FrameKind kind = FrameKind::hello;
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    uint64_t first_sequence = 0;  // from 1; for welcome and acknowledge: the last durable sequence
    uint32_t record_count = 0;
};

inline constexpr std::string_view kFrameMagic = "CLWF";  // each frame begins with it
inline constexpr size_t kFrameHeaderOctets = 48;
// A longer body is refused before anything is allocated for it.
inline constexpr size_t kMaximumFrameBodyOctets = 256 * 1024;
inline constexpr uint32_t kMaximumFrameRecords = 4096;

enum class FrameError : uint8_t {
    none,
    incomplete,  // fewer octets than the header says: the end of a torn file
    bad_magic,
    bad_version,
    bad_kind,
    too_long,  // body, record count or last sequence over its bound
    bad_checksum,
};

const char* name_of(FrameError error) noexcept;

struct FrameView {
    FrameHeader header;
    std::span<const uint8_t> body;  // inside the octets given to decode_frame
    size_t frame_octets = 0;        // header and body
};

// CRC32C (RFC 3720 appendix B.4), the reflected polynomial 0x82f63b78; start with seed 0.
// crc32c(b, crc32c(a)) is that of a followed by b.
uint32_t crc32c(std::span<const uint8_t> octets, uint32_t seed = 0) noexcept;
// The same for a processor without SSE 4.2.
uint32_t crc32c_portable(std::span<const uint8_t> octets, uint32_t seed = 0) noexcept;

// Appends a whole frame to `out`. Requires: body.size() <= kMaximumFrameBodyOctets; record_count <=
// kMaximumFrameRecords; no body in welcome and acknowledge; no records but in batch and ledger.
void append_frame(const FrameHeader& header, std::span<const uint8_t> body, std::string& out);

// Reads the frame at the front of `octets`. `view` is written only when the result is none.
FrameError decode_frame(std::span<const uint8_t> octets, FrameView& view) noexcept;

}  // namespace curlew::proto

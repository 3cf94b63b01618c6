#pragma once

#include <cstdint>
#include <optional>

#include "proto/flow.pb.h"
#include "proto/frame.h"

// From a frame whose checksum holds to messages that may be used without a further look. A checksum
// is no proof of good will, so everything is held against its limit first: what a frame may unfold
// to before it is parsed, lengths and ranges after. One broken limit refuses the whole batch.

namespace curlew::collector {

enum class BatchError : uint8_t {
    none,
    not_a_batch,         // not the wire format of the message
    unknown_schema,      // a schema version that this program does not read
    wrong_record_count,  // not as many flows as the header says
    too_many_elements,   // a list over its bound
    too_long_octets,     // an octet string over its bound
    wrong_length,        // an octet string or list that has one possible length and not this one
    out_of_range,        // a number that its element cannot have
    time_overflow,       // the packet list runs past the end of time
};
inline constexpr size_t kBatchErrors = static_cast<size_t>(BatchError::time_overflow) + 1;

const char* name_of(BatchError error) noexcept;

// Records of this schema and all later ones up to ours are read: what they lack is absent. Of each
// that was released a probe's frames are kept in tests/collector/schemas.
inline constexpr int kOldestSchema = 2;

class BatchDecoder {
  public:
    // Silences libprotobuf's own log, which hostile input would fill, for the whole process.
    BatchDecoder();

    // Lines that libprotobuf would have logged in this process; any thread.
    static uint64_t complaints() noexcept;

    // Requires: frame.header.kind is batch. `batch` is defined only when the result is none; give
    // the same one each time, it keeps its memory.
    BatchError decode(const proto::FrameView& frame, proto::FlowBatch& batch) const;

    // Requires: frame.header.kind is ledger.
    BatchError decode(const proto::FrameView& frame, proto::ProbeLedger& ledger) const;

    // Requires: frame.header.kind is hello. Of a hello in an unknown schema only schema_version is
    // defined. Says nothing of the probe's name.
    BatchError decode(const proto::FrameView& frame, proto::Hello& hello) const;
};

}  // namespace curlew::collector

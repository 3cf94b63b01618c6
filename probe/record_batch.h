#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "proto/flow.pb.h"

// A FlowBatch (flow.proto) that grows, in its serialized form: records are appended and never read
// back.

namespace curlew::probe {

class RecordBatch {
  public:
    RecordBatch() { clear(); }

    // Leaves what each batch begins with.
    void clear();

    // False: a record of so many octets belongs into the next one. An empty batch takes any.
    bool has_room(size_t record_octets, size_t most_octets) const noexcept;

    // Requires: `octets` is what ByteSizeLong() of the record has just returned.
    void add(const proto::FlowSummary& record, size_t octets);
    // Likewise of one that is serialized already; its times are not known.
    void add(std::span<const uint8_t> record);

    const std::string& octets() const noexcept { return octets_; }
    uint32_t records() const noexcept { return records_; }
    // From the start of its earliest record to the end of its latest; from above to: not known.
    uint64_t from_ns() const noexcept { return from_ns_; }
    uint64_t to_ns() const noexcept { return to_ns_; }

  private:
    void begin_record(size_t octets);

    std::string octets_;
    uint32_t records_ = 0;
    uint64_t from_ns_ = 0;
    uint64_t to_ns_ = 0;
};

}  // namespace curlew::probe

#include "probe/record_batch.h"

#include <algorithm>
#include <limits>

#include "proto/frame.h"

namespace curlew::probe {

namespace {

// Field 2 of FlowBatch, length-delimited (protobuf wire format).
constexpr char kFlowsTag = (2 << 3) | 2;

void append_varint(std::string& out, uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<char>(value));
}

}  // namespace

void RecordBatch::clear() {
    proto::FlowBatch header;
    header.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    header.SerializeToString(&octets_);
    records_ = 0;
    from_ns_ = std::numeric_limits<uint64_t>::max();
    to_ns_ = 0;
}

bool RecordBatch::has_room(size_t record_octets, size_t most_octets) const noexcept {
    return records_ == 0 || (octets_.size() + record_octets <= most_octets &&
                             records_ != proto::kMaximumFrameRecords);
}

void RecordBatch::begin_record(size_t octets) {
    octets_.push_back(kFlowsTag);
    append_varint(octets_, octets);
    ++records_;
}

void RecordBatch::add(const proto::FlowSummary& record, size_t octets) {
    begin_record(octets);
    from_ns_ = std::min(from_ns_, record.flow_start_ns());
    to_ns_ = std::max(to_ns_, record.flow_end_ns());
    const size_t before = octets_.size();
    octets_.resize(before + octets);
    // The sizes of its parts are those that ByteSizeLong() has found.
    record.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(&octets_[before]));
}

void RecordBatch::add(std::span<const uint8_t> record) {
    begin_record(record.size());
    octets_.append(reinterpret_cast<const char*>(record.data()), record.size());
}

}  // namespace curlew::probe

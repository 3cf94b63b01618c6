#include "collector/record_times.h"

#include <cassert>

#include "collector/wire_walk.h"
#include "proto/flow.pb.h"

namespace curlew::collector {
namespace {

// Tag of FlowSummary.flow_end_ns, a fixed64. A longer way to write it does not count.
constexpr uint8_t kFlowEndTag = proto::FlowSummary::kFlowEndNsFieldNumber << 3 | 1;
constexpr size_t kFixed64Octets = 8;

uint64_t load_little_endian(const uint8_t* from) {
    uint64_t number = 0;
    for (size_t i = 0; i < kFixed64Octets; ++i) {
        number |= static_cast<uint64_t>(from[i]) << (8 * i);
    }
    return number;
}

// False when the octets are no message. As in protobuf, the last of several counts.
bool read_flow_end(std::span<const uint8_t> flow, uint64_t& time_ns) {
    time_ns = 0;
    while (!flow.empty()) {
        const uint8_t tag = flow.front();
        uint32_t field = 0;
        std::span<const uint8_t> content;
        if (!take_field(flow, field, content)) {
            return false;
        }
        if (tag == kFlowEndTag) {
            time_ns = load_little_endian(flow.data() - kFixed64Octets);
        }
    }
    return true;
}

}  // namespace

const std::vector<uint64_t>& RecordTimes::of(const proto::FrameView& batch) {
    assert(batch.header.kind == proto::FrameKind::batch);
    const size_t count = batch.header.record_count;
    times_.clear();
    const bool whole =
        walk_fields(batch.body, [&](uint32_t field, std::span<const uint8_t> content) {
            if (field != proto::FlowBatch::kFlowsFieldNumber) {
                return true;
            }
            uint64_t time_ns = 0;
            if (times_.size() == count || !read_flow_end(content, time_ns)) {
                return false;
            }
            times_.push_back(time_ns);
            return true;
        });
    if (!whole || times_.size() != count) {
        times_.assign(count, clock_ns_);
    }
    return times_;
}

}  // namespace curlew::collector

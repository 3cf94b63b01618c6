#pragma once

#include <cstdint>

#include "probe/flow.h"
#include "probe/joy_flow.h"
#include "proto/flow.pb.h"

namespace curlew::probe {

// What a record has that its flow does not know.
struct JoyRecordFacts {
    uint64_t output_ordinal = 0;  // in Joy's output, from 0
    uint64_t first_start_us = 0;  // of the first record of this 5-tuple, in either direction
    uint32_t record_number = 0;   // of this 5-tuple, from 0
    FlowEndReason end_reason = FlowEndReason::forced_end;
};

// The message that crosses to the collector: Joy's record, and the identity that labels, selection
// and flow ids rest on, in the direction in which Joy prints it. `summary` is cleared first.
void summarize(const JoyFlow& flow, const JoyRecordFacts& facts, proto::FlowSummary& summary);

}  // namespace curlew::probe

#pragma once

#include "collector/json_line.h"
#include "proto/flow.pb.h"

namespace curlew::collector {

// `stats`: payload, frames, gaps, bursts and what TCP's sequence numbers say, of each direction
// over all packets of the record, and the round trips of its handshake. Nothing where the probe
// kept none. Requires: the flow passed the batch decoder.
void write_statistics(JsonLine& json, const proto::FlowSummary& flow);

}  // namespace curlew::collector

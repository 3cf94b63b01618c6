#pragma once

#include <cstdint>
#include <vector>

#include "probe/config.h"
#include "probe/packet_filter.h"
#include "probe/probe_service.h"
#include "probe/recorder.h"
#include "probe/recording_lane.h"
#include "signatures/signature_set.h"

// From the configuration's table [record] to what workers and recorder take.

namespace curlew::probe {

// Of every worker. Without a folder there is nothing to record. Throws ConfigError with one
// sentence when no signature recognises a protocol that is named. Requires: the filter, which is
// that of `record` for Ethernet, outlives the lanes.
RecordingLaneConfig lane_config(const RecordConfig& record,
                                const signatures::SignatureSet& set,
                                const PacketFilter& filter);

// One interface for each device, with its queues.
RecorderConfig recorder_config(const ServiceConfig& config,
                               const std::vector<OpenPort>& ports,
                               uint64_t epoch);

}  // namespace curlew::probe

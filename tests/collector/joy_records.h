#pragma once

#include <cstdint>
#include <string>

#include "proto/flow.pb.h"

// Joy's records in words, for the tests of this folder.

namespace curlew::collector {

// TCP from 10.0.0.1:1000 to 10.0.0.2:80, one packet without payload at 1545661851.869217 s.
proto::FlowSummary joy_flow();

// The same with a twin, whose packet came 500 us later.
proto::FlowSummary joy_flow_with_twin();

// A packet with payload at so many us after the side's start.
void add_joy_packet(proto::JoySide& side, uint64_t after_us, uint32_t octets);

// Counts of the octets of `payload`, their mean, squares and Walsh sums left alone.
void count_joy_octets(proto::JoySide& side, const std::string& payload);

// A segment at so many us after the side's start.
void add_joy_segment(proto::JoySide& side,
                     uint64_t after_us,
                     uint32_t sequence,
                     uint32_t acknowledgement,
                     uint32_t flags,
                     const std::string& options = "");

}  // namespace curlew::collector

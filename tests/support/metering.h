#pragma once

#include <vector>

#include "probe/dispatcher.h"
#include "proto/flow.pb.h"
#include "signatures/signature_set.h"
#include "tests/support/packet_builder.h"

namespace curlew::tests {

struct Metered {
    std::vector<proto::FlowSummary> records;  // by flow start, then initiator port
    probe::PacketCounters packets;
    probe::FlowCounters flows;
};

// A small set of signatures for tests: "dns-query", "tls-client-hello", "http-request" and the name
// "known.example".
const signatures::SignatureSet& test_signatures();

// The packets through parser, table and summary, as on a port that hands out `burst` at a time.
Metered meter(const std::vector<Packet>& packets,
              const probe::DispatcherConfig& config = {},
              size_t burst = probe::kMaximumBurst);

}  // namespace curlew::tests

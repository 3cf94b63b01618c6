#pragma once

#include <memory>
#include <string>
#include <vector>

#include "probe/dispatcher.h"
#include "probe/scripted_port.h"
#include "proto/flow.pb.h"
#include "signatures/signature_set.h"
#include "tests/support/packet_builder.h"

namespace curlew::tests {

struct Metered {
    std::vector<proto::FlowSummary> records;  // by flow start, then initiator port
    probe::PacketCounters packets;
    probe::FlowCounters flows;
    probe::MeterLedger ledger;
};

// A small set of signatures for tests: "dns-query", "tls-client-hello", "http-request" and the name
// "known.example".
const signatures::SignatureSet& test_signatures();

// With these signatures, one for all tests: patterns take longer to compile than most tests to run.
const probe::Inspector& test_inspector();

// The packets through parser, table and summary, as on a port that hands out `burst` at a time.
Metered meter(const std::vector<Packet>& packets,
              const probe::DispatcherConfig& config = {},
              size_t burst = probe::kMaximumBurst);

// The same from any ports.
Metered meter_ports(const std::vector<probe::Port*>& ports,
                    const probe::DispatcherConfig& config = {});

// A port that hands the packets out.
std::unique_ptr<probe::ScriptedPort> port_of(const std::vector<Packet>& packets,
                                             size_t burst = probe::kMaximumBurst,
                                             probe::PortState at_end = probe::PortState::ended,
                                             const std::string& fault = "");

}  // namespace curlew::tests

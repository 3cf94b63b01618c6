#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "proto/flow.pb.h"
#include "signatures/group_rules.h"

// Flow records and frames in words, for the tests of this folder.

namespace curlew::collector {

inline constexpr uint64_t kProbe = 7;
inline constexpr uint64_t kEpoch = 8;
// 2018-12-24 14:30:51.869217345 UTC.
inline constexpr uint64_t kStart = 1'545'661'851'869'217'345;

// TCP from 192.168.5.20:58387 to 172.217.168.196:80, one packet out, starting at kStart.
proto::FlowSummary small_flow();
proto::FlowSummary flow_between(const std::string& initiator,
                                uint32_t initiator_port,
                                const std::string& responder,
                                uint32_t responder_port,
                                uint32_t protocol);
// A flow of its own for each number: addresses, ports and time differ, also in their order.
proto::FlowSummary numbered_flow(uint32_t number);

void add_packet(proto::FlowSummary& flow, uint64_t gap_ns, uint32_t octets, uint32_t flags);
proto::Match& add_match(proto::FlowSummary& flow,
                        proto::EvidenceKind kind,
                        const std::string& value,
                        const std::string& signature = "");
void add_message(proto::FlowSummary& flow,
                 proto::MessageProtocol protocol,
                 const std::string& octets,
                 bool reverse = false,
                 bool cut = false);

std::string batch_frame(const std::vector<proto::FlowSummary>& flows, uint64_t first_sequence);
// Says that as many records were created as came before.
std::string ledger_frame(uint64_t sequence, const std::string& capture_warning = "");
std::string ledger_frame(uint64_t sequence, const proto::ProbeLedger& ledger);
inline std::span<const uint8_t> octets_of(const std::string& frames) {
    return {reinterpret_cast<const uint8_t*>(frames.data()), frames.size()};
}
proto::ProbeLedger ledger_of(uint64_t records);

// The group without rules, and one with a rule for each thing that a rule can look at.
signatures::GroupRules any_group();
signatures::GroupRules house_group();

}  // namespace curlew::collector

#include "tests/collector/flows.h"

#include <cassert>

#include "collector/wire_text.h"
#include "proto/frame.h"

namespace curlew::collector {
namespace {

std::string frame_of(proto::FrameKind kind,
                     uint64_t first_sequence,
                     uint32_t record_count,
                     const std::string& body) {
    const std::vector<uint8_t> octets(body.begin(), body.end());
    std::string frame;
    proto::append_frame({.kind = kind,
                         .probe_id = kProbe,
                         .epoch = kEpoch,
                         .first_sequence = first_sequence,
                         .record_count = record_count},
                        octets,
                        frame);
    return frame;
}

}  // namespace

proto::FlowSummary flow_between(const std::string& initiator,
                                uint32_t initiator_port,
                                const std::string& responder,
                                uint32_t responder_port,
                                uint32_t protocol) {
    proto::FlowSummary flow;
    flow.set_initiator_address(address_octets(initiator));
    flow.set_responder_address(address_octets(responder));
    flow.set_initiator_port(initiator_port);
    flow.set_responder_port(responder_port);
    flow.set_protocol_identifier(protocol);
    flow.set_direction_source(proto::DIRECTION_SOURCE_FIRST_PACKET);
    flow.set_flow_start_ns(kStart);
    flow.set_flow_end_ns(kStart);
    flow.set_first_record_start_ns(kStart);
    flow.set_flow_end_reason(proto::FLOW_END_REASON_FORCED_END);
    proto::Direction& forward = *flow.mutable_forward();
    forward.set_packets(1);
    forward.set_octets(60);
    forward.set_frame_octets(74);
    forward.set_minimum_ttl(64);
    forward.set_maximum_ttl(64);
    flow.set_published_ttl_out(64);
    return flow;
}

proto::FlowSummary small_flow() {
    return flow_between("192.168.5.20", 58387, "172.217.168.196", 80, 6);
}

proto::FlowSummary numbered_flow(uint32_t number) {
    // Neighbours in number are far apart in time, and some share a time.
    const uint64_t start = kStart + (number * 7919 % 1000) / 2 * 1'000'000;
    proto::FlowSummary flow = flow_between("10.0.0." + std::to_string(number % 251),
                                           1024 + number * 31 % 50000,
                                           "10.1." + std::to_string(number % 7) + ".9",
                                           443,
                                           number % 2 == 0 ? 6 : 17);
    flow.set_flow_start_ns(start);
    flow.set_flow_end_ns(start + 5'000'000);
    flow.set_first_record_start_ns(start);
    return flow;
}

void add_packet(proto::FlowSummary& flow, uint64_t gap_ns, uint32_t octets, uint32_t flags) {
    flow.mutable_packets()->add_gap_ns(gap_ns);
    flow.mutable_packets()->add_payload_octets(octets);
    flow.mutable_packets()->add_flags(flags);
}

proto::Match& add_match(proto::FlowSummary& flow,
                        proto::EvidenceKind kind,
                        const std::string& value,
                        const std::string& signature) {
    proto::Match& match = *flow.add_matches();
    match.set_kind(kind);
    match.set_field(kind == proto::EVIDENCE_KIND_NAME ? "dns.question" : "payload");
    match.set_value(value);
    match.set_signature(signature);
    return match;
}

void add_message(proto::FlowSummary& flow,
                 proto::MessageProtocol protocol,
                 const std::string& octets,
                 bool reverse,
                 bool cut) {
    proto::ProtocolMessage& message = *flow.add_messages();
    message.set_protocol(protocol);
    message.set_octets(octets);
    message.set_reverse(reverse);
    message.set_cut(cut);
}

std::string batch_frame(const std::vector<proto::FlowSummary>& flows, uint64_t first_sequence) {
    proto::FlowBatch batch;
    batch.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    for (const proto::FlowSummary& flow : flows) {
        *batch.add_flows() = flow;
    }
    return frame_of(proto::FrameKind::batch,
                    first_sequence,
                    static_cast<uint32_t>(flows.size()),
                    batch.SerializeAsString());
}

proto::ProbeLedger ledger_of(uint64_t records) {
    proto::ProbeLedger ledger;
    ledger.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    ledger.set_packets_offered(records + 3);
    ledger.set_packets_metered(records);
    ledger.set_records_created(records);
    proto::Count& reason = *ledger.add_packets_not_metered();
    reason.set_reason("arp");
    reason.set_packets(3);
    return ledger;
}

std::string ledger_frame(uint64_t sequence, const std::string& capture_warning) {
    proto::ProbeLedger ledger = ledger_of(sequence - 1);
    ledger.set_capture_warning(capture_warning);
    return ledger_frame(sequence, ledger);
}

std::string ledger_frame(uint64_t sequence, const proto::ProbeLedger& ledger) {
    return frame_of(proto::FrameKind::ledger, sequence, 1, ledger.SerializeAsString());
}

signatures::GroupRules any_group() {
    return signatures::GroupRules::parse("name = \"any\"\ntitle = \"Any\"\n", "any.toml");
}

signatures::GroupRules house_group() {
    signatures::GroupRules rules = signatures::GroupRules::parse(R"(
name = "house"
title = "A house"
otherwise = "Unknown"

[[rule]]
label = "Answer"
sp = 53

[[rule]]
label = "No Ports"
no_ports = true

[[rule]]
label = "Near"
dp = 5684
in_ttl = 255

[[rule]]
label = "From The Gateway"
sa = "10.0.0.9"
out_ttl = 128
)",
                                                                 "house.toml");
    assert(rules.problems().empty());
    return rules;
}

}  // namespace curlew::collector

#include "collector/batch_decoder.h"

#include <google/protobuf/stubs/logging.h>

#include <atomic>
#include <cassert>
#include <span>
#include <string_view>

#include "collector/byte_counts.h"
#include "collector/joy_check.h"
#include "collector/spread.h"
#include "collector/tunnel_fields.h"
#include "collector/wire_walk.h"
#include "proto/body_limits.h"

namespace curlew::collector {
namespace {

// Any thread that decodes writes, any reads.
std::atomic<uint64_t> count_of_complaints = 0;

constexpr uint32_t kBatchFlows = 2;      // FlowBatch.flows
constexpr uint32_t kFlowMatches = 21;    // FlowSummary.matches
constexpr uint32_t kFlowIcmpTypes = 22;  // FlowSummary.icmp_types
constexpr uint32_t kFlowJoy = 27;        // FlowSummary.joy
constexpr uint32_t kFlowMessages = 32;   // FlowSummary.messages
constexpr uint32_t kFlowTunnels = 38;    // FlowSummary.tunnels

// An empty message costs two octets on the wire and a hundred in memory, so messages are counted
// while they are still octets.
BatchError check_elements(std::span<const uint8_t> flow) {
    int matches = 0;
    int icmp_types = 0;
    int messages = 0;
    int tunnels = 0;
    BatchError joy = BatchError::none;
    const bool whole = walk_fields(flow, [&](uint32_t field, std::span<const uint8_t> content) {
        matches += field == kFlowMatches ? 1 : 0;
        icmp_types += field == kFlowIcmpTypes ? 1 : 0;
        messages += field == kFlowMessages ? 1 : 0;
        tunnels += field == kFlowTunnels ? 1 : 0;
        joy = field == kFlowJoy ? check_joy_elements(content) : joy;
        return matches <= proto::kMaximumMatches && icmp_types <= proto::kMaximumIcmpTypes &&
               messages <= proto::kMaximumMessages && tunnels <= proto::kMaximumTunnels &&
               joy == BatchError::none;
    });
    if (joy != BatchError::none) {
        return joy;
    }
    if (matches > proto::kMaximumMatches || icmp_types > proto::kMaximumIcmpTypes ||
        messages > proto::kMaximumMessages || tunnels > proto::kMaximumTunnels) {
        return BatchError::too_many_elements;
    }
    return whole ? BatchError::none : BatchError::not_a_batch;
}

BatchError check_before_parsing(const proto::FrameView& frame) {
    if (frame.body.size() > proto::kMaximumFrameBodyOctets ||
        frame.header.record_count > proto::kMaximumFrameRecords) {
        return BatchError::too_many_elements;
    }
    uint32_t flows = 0;
    BatchError error = BatchError::none;
    const bool whole =
        walk_fields(frame.body, [&](uint32_t field, std::span<const uint8_t> content) {
            if (field == kBatchFlows) {
                ++flows;
                error = check_elements(content);
            }
            return error == BatchError::none && flows <= frame.header.record_count;
        });
    if (error != BatchError::none) {
        return error;
    }
    if (!whole && flows <= frame.header.record_count) {
        return BatchError::not_a_batch;
    }
    return flows == frame.header.record_count ? BatchError::none : BatchError::wrong_record_count;
}

bool is_known_schema(int version) {
    return version >= kOldestSchema && version <= proto::SCHEMA_VERSION_CURRENT;
}

bool is_mac(const std::string& mac) {
    return mac.empty() || mac.size() == 6;
}

BatchError check(const proto::Direction& direction) {
    if (direction.ip_ids_size() > proto::kMaximumIpIds) {
        return BatchError::too_many_elements;
    }
    if (direction.first_packet().size() > proto::kMaximumFirstPacketOctets ||
        direction.tcp_start().options().size() > proto::kMaximumTcpOptionOctets) {
        return BatchError::too_long_octets;
    }
    if (!is_mac(direction.source_mac()) || !is_mac(direction.destination_mac())) {
        return BatchError::wrong_length;
    }
    for (const uint64_t count : {direction.packets(),
                                 direction.octets(),
                                 direction.payload_octets(),
                                 direction.frame_octets(),
                                 direction.copies()}) {
        if (count > proto::kMaximumCount) {
            return BatchError::out_of_range;
        }
    }
    if (direction.minimum_ttl() > 255 || direction.maximum_ttl() > 255 ||
        direction.tcp_control_bits() > 0xffff ||
        direction.tcp_start().syn_control_bits() > 0xffff ||
        direction.tcp_start().window_size() > 0xffff) {
        return BatchError::out_of_range;
    }
    for (const proto::Spread* spread :
         {&direction.payload_spread(), &direction.frame_spread(), &direction.gap_spread()}) {
        if (!is_plausible(*spread)) {
            return BatchError::out_of_range;
        }
    }
    return BatchError::none;
}

BatchError check(const proto::PacketList& packets, uint64_t start_ns) {
    const int entries = packets.gap_ns_size();
    if (entries > proto::kMaximumListedPackets) {
        return BatchError::too_many_elements;
    }
    if (packets.payload_octets_size() != entries || packets.flags_size() != entries ||
        (packets.control_bits_size() != 0 && packets.control_bits_size() != entries)) {
        return BatchError::wrong_length;
    }
    uint64_t time_ns = start_ns;
    for (const uint64_t gap_ns : packets.gap_ns()) {
        if (gap_ns > UINT64_MAX - time_ns) {
            return BatchError::time_overflow;
        }
        time_ns += gap_ns;
    }
    return BatchError::none;
}

BatchError check_payload_counts(const proto::FlowSummary& flow) {
    ByteCounts byte_counts;
    const ByteCounts::Result result = byte_counts.read(flow.byte_counts());
    if (result == ByteCounts::Result::malformed ||
        (flow.walsh_sums_size() != 0 && flow.walsh_sums_size() != 4)) {
        return BatchError::wrong_length;
    }
    if (result == ByteCounts::Result::disordered) {
        return BatchError::out_of_range;
    }
    for (const auto& [count, value] : byte_counts.counts()) {
        if (count > proto::kMaximumCount) {
            return BatchError::out_of_range;
        }
    }
    return BatchError::none;
}

BatchError check_lists(const proto::FlowSummary& flow) {
    if (flow.vlan_ids_size() > proto::kMaximumVlans ||
        flow.matches_size() > proto::kMaximumMatches ||
        flow.icmp_types_size() > proto::kMaximumIcmpTypes) {
        return BatchError::too_many_elements;
    }
    for (const std::string& type_and_code : flow.icmp_types()) {
        if (type_and_code.size() != 2) {
            return BatchError::wrong_length;
        }
    }
    for (const proto::Match& match : flow.matches()) {
        for (const std::string* octets : {&match.field(), &match.value(), &match.signature()}) {
            if (octets->size() > proto::kMaximumTextOctets) {
                return BatchError::too_long_octets;
            }
        }
    }
    return BatchError::none;
}

BatchError check_messages(const proto::FlowSummary& flow) {
    if (flow.messages_size() > proto::kMaximumMessages) {
        return BatchError::too_many_elements;
    }
    size_t octets = 0;
    for (const proto::ProtocolMessage& message : flow.messages()) {
        octets += message.octets().size();
    }
    return octets > proto::kMaximumMessageOctets ? BatchError::too_long_octets : BatchError::none;
}

BatchError check_tunnels(const proto::FlowSummary& flow) {
    if (flow.tunnels_size() > proto::kMaximumTunnels) {
        return BatchError::too_many_elements;
    }
    for (const proto::Tunnel& tunnel : flow.tunnels()) {
        const size_t address_octets = tunnel.source_address().size();
        if ((address_octets != 0 && address_octets != 4 && address_octets != 16) ||
            tunnel.destination_address().size() != address_octets) {
            return BatchError::wrong_length;
        }
        if (!proto::TunnelType_IsValid(tunnel.type()) ||
            (is_keyed_tunnel(tunnel.type()) &&
             (!tunnel.has_id() || tunnel.id() > kLargestKeyedTunnel))) {
            return BatchError::out_of_range;
        }
    }
    // The record's reader finds the key's part among the tunnels.
    return flow.tunnel_id() == keyed_tunnel_id(flow) ? BatchError::none : BatchError::out_of_range;
}

BatchError check_identity(const proto::FlowSummary& flow) {
    const size_t address_octets = flow.initiator_address().size();
    if ((address_octets != 4 && address_octets != 16) ||
        flow.responder_address().size() != address_octets) {
        return BatchError::wrong_length;
    }
    const bool in_range = flow.initiator_port() <= 0xffff && flow.responder_port() <= 0xffff &&
                          flow.protocol_identifier() <= 255 && flow.published_ttl_out() <= 255 &&
                          flow.published_ttl_in() <= 255 &&
                          proto::FlowEndReason_IsValid(flow.flow_end_reason());
    return in_range ? BatchError::none : BatchError::out_of_range;
}

BatchError check(const proto::FlowSummary& flow) {
    BatchError error = check_identity(flow);
    for (const proto::Direction* direction : {&flow.forward(), &flow.reverse()}) {
        error = error == BatchError::none ? check(*direction) : error;
    }
    error = error == BatchError::none ? check(flow.packets(), flow.flow_start_ns()) : error;
    error = error == BatchError::none ? check_payload_counts(flow) : error;
    error = error == BatchError::none && flow.has_joy() ? check_joy(flow.joy()) : error;
    error = error == BatchError::none ? check_tunnels(flow) : error;
    error = error == BatchError::none ? check_lists(flow) : error;
    return error == BatchError::none ? check_messages(flow) : error;
}

BatchError check(const google::protobuf::RepeatedPtrField<proto::RecordingFile>& files) {
    if (files.size() > proto::kMaximumRecordingFiles) {
        return BatchError::too_many_elements;
    }
    for (const proto::RecordingFile& file : files) {
        if (file.name().size() > proto::kMaximumTextOctets) {
            return BatchError::too_long_octets;
        }
        if (file.to_ns() < file.from_ns()) {
            return BatchError::out_of_range;
        }
    }
    return BatchError::none;
}

BatchError check(const proto::LossInterval& loss) {
    if (loss.reason().size() > proto::kMaximumTextOctets) {
        return BatchError::too_long_octets;
    }
    return loss.to_ns() < loss.from_ns() ? BatchError::out_of_range : BatchError::none;
}

BatchError check(const google::protobuf::RepeatedPtrField<proto::Count>& counts) {
    if (counts.size() > proto::kMaximumReasons) {
        return BatchError::too_many_elements;
    }
    for (const proto::Count& count : counts) {
        if (count.reason().size() > proto::kMaximumTextOctets) {
            return BatchError::too_long_octets;
        }
    }
    return BatchError::none;
}

template <typename Message>
bool parse(const proto::FrameView& frame, Message& message) {
    return message.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()));
}

}  // namespace

const char* name_of(BatchError error) noexcept {
    switch (error) {
        case BatchError::none:
            return "none";
        case BatchError::not_a_batch:
            return "not_a_batch";
        case BatchError::unknown_schema:
            return "unknown_schema";
        case BatchError::wrong_record_count:
            return "wrong_record_count";
        case BatchError::too_many_elements:
            return "too_many_elements";
        case BatchError::too_long_octets:
            return "too_long_octets";
        case BatchError::wrong_length:
            return "wrong_length";
        case BatchError::out_of_range:
            return "out_of_range";
        case BatchError::time_overflow:
            return "time_overflow";
    }
    return "";
}

BatchDecoder::BatchDecoder() {
    // Once: libprotobuf does not mind threads here.
    static const bool is_silent = [] {
        google::protobuf::SetLogHandler(
            [](google::protobuf::LogLevel, const char*, int, const std::string&) {
                ++count_of_complaints;
            });
        return true;
    }();
    static_cast<void>(is_silent);
}

uint64_t BatchDecoder::complaints() noexcept {
    return count_of_complaints;
}

BatchError BatchDecoder::decode(const proto::FrameView& frame, proto::FlowBatch& batch) const {
    assert(frame.header.kind == proto::FrameKind::batch);
    const BatchError before = check_before_parsing(frame);
    if (before != BatchError::none) {
        return before;
    }
    if (!parse(frame, batch)) {
        return BatchError::not_a_batch;
    }
    if (!is_known_schema(batch.schema_version())) {
        return BatchError::unknown_schema;
    }
    // The walk above and the parser must see the same flows.
    if (static_cast<uint32_t>(batch.flows_size()) != frame.header.record_count) {
        return BatchError::wrong_record_count;
    }
    for (const proto::FlowSummary& flow : batch.flows()) {
        const BatchError error = check(flow);
        if (error != BatchError::none) {
            return error;
        }
    }
    return BatchError::none;
}

BatchError BatchDecoder::decode(const proto::FrameView& frame, proto::ProbeLedger& ledger) const {
    assert(frame.header.kind == proto::FrameKind::ledger);
    if (frame.body.size() > proto::kMaximumFrameBodyOctets) {
        return BatchError::too_many_elements;
    }
    if (!parse(frame, ledger)) {
        return BatchError::not_a_batch;
    }
    if (!is_known_schema(ledger.schema_version())) {
        return BatchError::unknown_schema;
    }
    if (ledger.capture_warning().size() > proto::kMaximumTextOctets) {
        return BatchError::too_long_octets;
    }
    if (ledger.losses_size() > proto::kMaximumLosses ||
        ledger.clock_steps_size() > proto::kMaximumClockSteps ||
        ledger.in_doubt_size() > proto::kMaximumInDoubt) {
        return BatchError::too_many_elements;
    }
    for (const uint64_t count : {ledger.packets_offered(),
                                 ledger.packets_metered(),
                                 ledger.records_created(),
                                 ledger.flows_created(),
                                 ledger.records_sent(),
                                 ledger.records_waiting()}) {
        if (count > proto::kMaximumCount) {
            return BatchError::out_of_range;
        }
    }
    for (const proto::LossInterval& loss : ledger.losses()) {
        if (const BatchError error = check(loss); error != BatchError::none) {
            return error;
        }
    }
    for (const proto::RecordsInDoubt& doubt : ledger.in_doubt()) {
        if (const BatchError error = check(doubt.loss()); error != BatchError::none) {
            return error;
        }
    }
    for (const auto* counts : {&ledger.packets_not_metered(),
                               &ledger.packets_lost(),
                               &ledger.records_lost(),
                               &ledger.flow_ends(),
                               &ledger.notes(),
                               &ledger.recording().packets_lost()}) {
        const BatchError error = check(*counts);
        if (error != BatchError::none) {
            return error;
        }
    }
    return check(ledger.recording().files());
}

BatchError BatchDecoder::decode(const proto::FrameView& frame, proto::Hello& hello) const {
    assert(frame.header.kind == proto::FrameKind::hello);
    hello.Clear();
    if (frame.body.empty()) {
        hello.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
        return BatchError::none;
    }
    if (!parse(frame, hello)) {
        return BatchError::not_a_batch;
    }
    if (!is_known_schema(hello.schema_version())) {
        return BatchError::unknown_schema;
    }
    if (hello.configuration_size() > proto::kMaximumSettings ||
        hello.ports_size() > proto::kMaximumPorts) {
        return BatchError::too_many_elements;
    }
    const auto is_short = [](const std::string& octets) {
        return octets.size() <= proto::kMaximumTextOctets;
    };
    bool all_short = is_short(hello.probe_name()) && is_short(hello.program_version()) &&
                     is_short(hello.signatures_hash());
    for (const proto::Setting& setting : hello.configuration()) {
        all_short = all_short && is_short(setting.name()) &&
                    setting.value().size() <= proto::kMaximumSettingOctets;
    }
    for (const proto::PortFacts& port : hello.ports()) {
        all_short = all_short && is_short(port.device()) && is_short(port.driver()) &&
                    is_short(port.clock()) && is_short(port.filter());
    }
    return all_short ? BatchError::none : BatchError::too_long_octets;
}

}  // namespace curlew::collector

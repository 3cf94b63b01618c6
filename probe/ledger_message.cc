#include "probe/ledger_message.h"

#include <utility>

#include "proto/body_limits.h"

namespace curlew::probe {

void add_count(proto::Count& count, const char* reason, uint64_t packets) {
    count.set_reason(reason);
    count.set_packets(packets);
}

void add_loss(proto::LossInterval& message, const LossInterval& loss) {
    message.set_from_ns(loss.from_ns);
    message.set_to_ns(loss.to_ns);
    message.set_queue(loss.queue);
    message.set_reason(name_of(loss.reason));
    message.set_lost(loss.lost);
}

namespace {

const char* name_of(FlowEndReason reason) {
    switch (reason) {
        case FlowEndReason::idle_timeout:
            return "idle_timeout";
        case FlowEndReason::active_timeout:
            return "active_timeout";
        case FlowEndReason::end_of_flow:
            return "end_of_flow";
        case FlowEndReason::forced_end:
            return "forced_end";
        case FlowEndReason::lack_of_resources:
            return "lack_of_resources";
    }
    return "unspecified";
}

void fill_packet_ledger(const MeterLedger& ledger, proto::ProbeLedger& message) {
    const auto metered = static_cast<size_t>(ParseResult::metered);
    message.set_packets_offered(ledger.port.packets_offered);
    message.set_packets_metered(ledger.packets.by_result[metered]);
    message.set_octets_metered(ledger.packets.octets_metered);
    for (size_t i = 0; i < ledger.packets.by_result.size(); ++i) {
        if (i != metered && ledger.packets.by_result[i] != 0) {
            add_count(*message.add_packets_not_metered(),
                      name_of(static_cast<ParseResult>(i)),
                      ledger.packets.by_result[i]);
        }
    }
    for (const auto& [reason, packets] : ledger.not_metered) {
        if (packets != 0) {
            add_count(*message.add_packets_not_metered(), reason, packets);
        }
    }
    if (ledger.port.packets_filtered != 0) {
        add_count(*message.add_packets_not_metered(), "filtered", ledger.port.packets_filtered);
    }
    const std::pair<LossReason, uint64_t> losses[] = {
        {LossReason::port_missed, ledger.port.packets_missed},
        {LossReason::port_in_error, ledger.port.packets_in_error},
        {LossReason::port_without_buffer, ledger.port.packets_without_buffer},
        {LossReason::hand_over, ledger.packets.packets_lost_handing_over},
    };
    for (const auto& [reason, packets] : losses) {
        if (packets != 0) {
            add_count(*message.add_packets_lost(), name_of(reason), packets);
        }
    }
    for (const LossInterval& loss : ledger.losses) {
        add_loss(*message.add_losses(), loss);
    }
    for (int bit = 0; bit < kPacketNoteCount; ++bit) {
        const uint64_t packets = ledger.packets.by_note[static_cast<size_t>(bit)];
        if (packets != 0) {
            add_count(*message.add_notes(), name_of_note(bit), packets);
        }
    }
}

}  // namespace

proto::ProbeLedger ledger_message(const MeterLedger& ledger) {
    proto::ProbeLedger message;
    message.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    fill_packet_ledger(ledger, message);
    message.set_records_created(ledger.flows.records_created);
    message.set_flows_created(ledger.flows.flows_created);
    if (ledger.flows.records_lost != 0) {
        add_count(*message.add_records_lost(), "record_ring", ledger.flows.records_lost);
    }
    for (size_t i = 1; i < ledger.flows.records_by_reason.size(); ++i) {
        if (ledger.flows.records_by_reason[i] != 0) {
            add_count(*message.add_flow_ends(),
                      name_of(static_cast<FlowEndReason>(i)),
                      ledger.flows.records_by_reason[i]);
        }
    }
    const std::pair<const char*, uint64_t> notes[] = {
        {"scan_failed", ledger.flows.scans_failed},
        {"list_shortage", ledger.flows.list_shortages},
        {"copy", ledger.flows.copies},
        {"fragment_joined", ledger.fragments.joined},
        {"fragment_orphaned", ledger.fragments.orphaned},
        {"fragment_contradicted", ledger.fragments.contradicted},
        {"fragment_evicted", ledger.fragments.evicted},
    };
    for (const auto& [reason, count] : notes) {
        if (count != 0) {
            add_count(*message.add_notes(), reason, count);
        }
    }
    message.set_capture_warning(proto::bounded(ledger.capture_warning));
    message.set_clock_ns(ledger.clock_ns);
    message.set_complete_until_ns(ledger.complete_until_ns);
    for (size_t i = 0; i < ledger.clock_steps.count; ++i) {
        proto::ClockStep& step = *message.add_clock_steps();
        step.set_at_ns(ledger.clock_steps.steps[i].at_ns);
        step.set_by_ns(ledger.clock_steps.steps[i].by_ns);
    }
    if (ledger.recording) {
        fill(*ledger.recording, *message.mutable_recording());
    }
    message.set_packets_lost_unknown(ledger.packets_lost_unknown);
    message.set_tcp_octets_seen(ledger.flows.tcp_octets_seen);
    message.set_tcp_octets_unseen(ledger.flows.tcp_octets_unseen);
    if (ledger.packets.last_packet_ns >= ledger.packets.first_packet_ns) {
        message.set_first_packet_ns(ledger.packets.first_packet_ns);
        message.set_last_packet_ns(ledger.packets.last_packet_ns);
    }
    return message;
}

}  // namespace curlew::probe

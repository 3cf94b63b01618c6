#include "probe/exporter.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "probe/flow_summary.h"
#include "probe/record_image.h"
#include "proto/flow.pb.h"

namespace curlew::probe {

namespace {

// A ring takes longer than this to fill, and waking costs as much as some dozen records.
constexpr std::chrono::microseconds kIdlePause{1000};
// A collector that acknowledges nothing for this many turns, a minute, is given up. One slow fsync
// is no reason. Between turns abandon() is looked at.
constexpr std::chrono::milliseconds kTurn{100};
constexpr int kPatienceTurns = 600;
// Field 2 of FlowBatch, length-delimited (protobuf wire format).
constexpr char kFlowsTag = (2 << 3) | 2;

void append_varint(std::string& out, uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<char>(value));
}

void add_count(proto::Count& count, const char* reason, uint64_t packets) {
    count.set_reason(reason);
    count.set_packets(packets);
}

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
    if (ledger.port.packets_filtered != 0) {
        add_count(*message.add_packets_not_metered(), "filtered", ledger.port.packets_filtered);
    }
    if (ledger.port.packets_lost != 0) {
        add_count(*message.add_packets_lost(), "port", ledger.port.packets_lost);
    }
    for (int bit = 0; bit < kPacketNoteCount; ++bit) {
        const uint64_t packets = ledger.packets.by_note[static_cast<size_t>(bit)];
        if (packets != 0) {
            add_count(*message.add_notes(), name_of_note(bit), packets);
        }
    }
}

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
    message.set_capture_warning(ledger.capture_warning);
    if (ledger.packets.last_packet_ns >= ledger.packets.first_packet_ns) {
        message.set_first_packet_ns(ledger.packets.first_packet_ns);
        message.set_last_packet_ns(ledger.packets.last_packet_ns);
    }
    return message;
}

std::span<const uint8_t> octets_of(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct Exporter::Implementation {
    Implementation(const ExporterConfig& exporter_config,
                   const signatures::SignatureSet& signature_set,
                   proto::ChannelSender& channel_sender)
        : config(exporter_config), set(signature_set), sender(channel_sender) {}

    bool empty_ring(ByteRing& ring) {
        bool moved = false;
        for (auto image = ring.front(); !image.empty(); image = ring.front()) {
            moved = true;
            summarize(image, set, summary);
            ring.pop();
            const size_t octets = summary.ByteSizeLong();
            if (batch_records != 0 && (batch.size() + octets > config.batch_octets ||
                                       batch_records == proto::kMaximumFrameRecords)) {
                send_batch();
            }
            batch.push_back(kFlowsTag);
            append_varint(batch, octets);
            const size_t before = batch.size();
            batch.resize(before + octets);
            // The sizes of its parts are those that ByteSizeLong() has just found.
            summary.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(&batch[before]));
            ++batch_records;
        }
        return moved;
    }

    void send_batch() {
        if (batch_records == 0) {
            return;
        }
        send(proto::FrameKind::batch, batch, batch_records);
        records_taken += batch_records;
        batch_records = 0;
        begin_batch();
    }

    void begin_batch() {
        proto::FlowBatch header;
        header.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
        header.SerializeToString(&batch);
    }

    void send(proto::FrameKind kind, const std::string& body, uint32_t records) {
        if (!fault.empty()) {
            return;
        }
        // A ledger holds no record, but takes a number so that its loss would be seen.
        const uint32_t numbers = kind == proto::FrameKind::ledger ? 1 : records;
        std::string frame;
        proto::append_frame(
            {kind, config.probe_id, config.epoch, next_sequence, records}, octets_of(body), frame);
        const bool sent = patiently(
            [&] { return sender.send(std::move(frame), next_sequence + numbers - 1, kTurn); });
        if (!sent) {
            fault = "the collector does not acknowledge: records are lost";
            return;
        }
        next_sequence += numbers;
    }

    // Tries until it worked or the collector is given up. The channel's own failure is one, too:
    // this thread has nobody to tell an exception to.
    template <typename Step>
    bool patiently(Step&& step) {
        try {
            for (int turn = 0; turn < kPatienceTurns; ++turn) {
                if (step()) {
                    return true;
                }
                if (abandoned.load(std::memory_order_acquire)) {
                    return false;
                }
            }
        } catch (const std::exception&) {
            return false;
        }
        return false;
    }

    ExporterConfig config;
    const signatures::SignatureSet& set;
    proto::ChannelSender& sender;
    std::atomic<bool> finished{false};   // written by finish(), read by run()
    std::atomic<bool> abandoned{false};  // written by abandon(), read by run()
    MeterLedger ledger;                  // written before finished
    proto::FlowSummary summary;
    std::string batch;
    uint32_t batch_records = 0;
    uint64_t next_sequence = 1;
    uint64_t records_taken = 0;  // out of the rings
    std::string fault;
};

Exporter::Exporter(const ExporterConfig& config,
                   const signatures::SignatureSet& set,
                   proto::ChannelSender& sender)
    : implementation_(std::make_unique<Implementation>(config, set, sender)) {}

Exporter::~Exporter() = default;

void Exporter::run(const std::vector<ByteRing*>& rings) {
    Implementation& self = *implementation_;
    self.begin_batch();
    if (!self.patiently([&] { return self.sender.connect(kTurn); })) {
        self.fault = "the collector does not answer: records are lost";
    }
    while (true) {
        const bool finished = self.finished.load(std::memory_order_acquire);
        bool moved = false;
        for (ByteRing* ring : rings) {
            moved = self.empty_ring(*ring) || moved;
        }
        if (moved) {
            continue;
        }
        if (finished) {
            break;
        }
        std::this_thread::sleep_for(kIdlePause);
    }
    self.send_batch();
    std::string body;
    ledger_message(self.ledger).SerializeToString(&body);
    self.send(proto::FrameKind::ledger, body, 0);
    if (self.fault.empty() && !self.patiently([&] { return self.sender.drain(kTurn); })) {
        self.fault = "the collector did not acknowledge the end of the input";
    }
}

void Exporter::finish(const MeterLedger& ledger) {
    implementation_->ledger = ledger;
    implementation_->finished.store(true, std::memory_order_release);
}

void Exporter::abandon() {
    implementation_->abandoned.store(true, std::memory_order_release);
}

const std::string& Exporter::fault() const noexcept {
    return implementation_->fault;
}

uint64_t Exporter::records_lost() const noexcept {
    const Implementation& self = *implementation_;
    // Sequence numbers count records from 1, so an acknowledgement is a number of records.
    return self.fault.empty()
               ? 0
               : self.records_taken - std::min(self.records_taken, self.sender.last_acknowledged());
}

}  // namespace curlew::probe

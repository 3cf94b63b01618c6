#include "collector/metrics.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "collector/seal.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;
using Counts = google::protobuf::RepeatedPtrField<proto::Count>;
using proto::ProbeLedger;

constexpr MetricType kCounter = MetricType::Counter;
constexpr MetricType kGauge = MetricType::Gauge;
constexpr const char* kOther = "other";

// Numbers of a ledger are held below 2^53 (batch_decoder.h): a double has all of their digits.
double number(uint64_t value) {
    return static_cast<double>(value);
}

double seconds_of(uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

double seconds_of(Moment::duration duration) {
    return std::chrono::duration<double>(duration).count();
}

struct LedgerNumber {
    const char* name;
    MetricType type;
    const char* help;
    double (*value)(const ProbeLedger&);
};

double clock_stepped_seconds(const ProbeLedger& ledger) {
    double sum = 0;
    for (const proto::ClockStep& step : ledger.clock_steps()) {
        sum += static_cast<double>(step.by_ns()) / 1e9;
    }
    return sum;
}

uint64_t lost_for(const ProbeLedger& ledger, const char* reason) {
    uint64_t records = 0;
    for (const proto::Count& count : ledger.records_lost()) {
        records += count.reason() == reason ? count.packets() : 0;
    }
    return records;
}

constexpr LedgerNumber kLedgerNumbers[] = {
    {"curlew_probe_packets_offered_total",
     kCounter,
     "Packets observed at the probe's ports.",
     [](const ProbeLedger& ledger) { return number(ledger.packets_offered()); }},
    {"curlew_probe_packets_metered_total",
     kCounter,
     "Packets that became part of a flow.",
     [](const ProbeLedger& ledger) { return number(ledger.packets_metered()); }},
    {"curlew_probe_metered_bytes_total",
     kCounter,
     "IP total lengths of the packets metered.",
     [](const ProbeLedger& ledger) { return number(ledger.octets_metered()); }},
    {"curlew_probe_packets_lost_unknown",
     kGauge,
     "1 when a port of the probe cannot count all that it loses.",
     [](const ProbeLedger& ledger) { return ledger.packets_lost_unknown() ? 1.0 : 0.0; }},
    {"curlew_probe_first_packet_timestamp_seconds",
     kGauge,
     "Time of the epoch's first packet; 0 when there was none.",
     [](const ProbeLedger& ledger) { return seconds_of(ledger.first_packet_ns()); }},
    {"curlew_probe_last_packet_timestamp_seconds",
     kGauge,
     "Time of the epoch's last packet; 0 when there was none.",
     [](const ProbeLedger& ledger) { return seconds_of(ledger.last_packet_ns()); }},
    {"curlew_probe_flows_created_total",
     kCounter,
     "Flows begun.",
     [](const ProbeLedger& ledger) { return number(ledger.flows_created()); }},
    {"curlew_probe_records_created_total",
     kCounter,
     "Records made of flows.",
     [](const ProbeLedger& ledger) { return number(ledger.records_created()); }},
    {"curlew_probe_records_sent_total",
     kCounter,
     "Records that took a sequence number.",
     // A counter does not go back when a record is dropped that had one.
     [](const ProbeLedger& ledger) {
         return number(ledger.records_sent() + lost_for(ledger, "dropped"));
     }},
    {"curlew_probe_records_waiting",
     kGauge,
     "Records created and without a sequence number yet.",
     [](const ProbeLedger& ledger) { return number(ledger.records_waiting()); }},
    {"curlew_probe_tcp_seen_bytes_total",
     kCounter,
     "Payload seen of TCP sides that were followed.",
     [](const ProbeLedger& ledger) { return number(ledger.tcp_octets_seen()); }},
    {"curlew_probe_tcp_unseen_bytes_total",
     kCounter,
     "Payload acknowledged of TCP sides that were followed, and never seen: lost before the port.",
     [](const ProbeLedger& ledger) { return number(ledger.tcp_octets_unseen()); }},
    {"curlew_probe_clock_steps_total",
     kCounter,
     "Times the clock of the probe's system was set; from 32 on as 32.",
     [](const ProbeLedger& ledger) {
         return number(static_cast<uint64_t>(ledger.clock_steps_size()));
     }},
    {"curlew_probe_clock_stepped_seconds",
     kGauge,
     "How far those set the clock ahead, added up.",
     clock_stepped_seconds},
    {"curlew_probe_final_ledger",
     kGauge,
     "1 when the epoch has come to its clean end.",
     [](const ProbeLedger& ledger) { return ledger.final() ? 1.0 : 0.0; }},
};

// Of probes that record.
constexpr LedgerNumber kRecordingNumbers[] = {
    {"curlew_probe_recording_packets_total",
     kCounter,
     "Packets metered that the recording has.",
     [](const ProbeLedger& ledger) { return number(ledger.recording().packets_recorded()); }},
    {"curlew_probe_recording_bytes_total",
     kCounter,
     "Octets of those packets, as captured.",
     [](const ProbeLedger& ledger) { return number(ledger.recording().octets_recorded()); }},
    {"curlew_probe_recording_packets_not_chosen_total",
     kCounter,
     "Packets metered that the recording was not asked for.",
     [](const ProbeLedger& ledger) { return number(ledger.recording().packets_not_chosen()); }},
};

struct LedgerCounts {
    const char* name;
    const char* label;
    const char* help;
    const Counts& (*counts)(const ProbeLedger&);
};

constexpr LedgerCounts kLedgerCounts[] = {
    {"curlew_probe_packets_not_metered_total",
     "reason",
     "Packets that are not the probe's to meter.",
     [](const ProbeLedger& ledger) -> const Counts& { return ledger.packets_not_metered(); }},
    {"curlew_probe_packets_lost_total",
     "reason",
     "Packets that should have been metered.",
     [](const ProbeLedger& ledger) -> const Counts& { return ledger.packets_lost(); }},
    {"curlew_probe_records_lost_total",
     "reason",
     "Records that were created and never reach a collector.",
     [](const ProbeLedger& ledger) -> const Counts& { return ledger.records_lost(); }},
    {"curlew_probe_flow_ends_total",
     "reason",
     "Records by what ended them.",
     [](const ProbeLedger& ledger) -> const Counts& { return ledger.flow_ends(); }},
    {"curlew_probe_packets_noted_total",
     "note",
     "Packets metered of which something is to be said.",
     [](const ProbeLedger& ledger) -> const Counts& { return ledger.notes(); }},
    {"curlew_probe_recording_packets_lost_total",
     "reason",
     "Packets metered that the recording lost.",
     [](const ProbeLedger& ledger) -> const Counts& { return ledger.recording().packets_lost(); }},
};

struct ProbeNumber {
    const char* name;
    MetricType type;
    const char* help;
    std::optional<double> (*value)(const ProbeStatus&);
};

std::optional<double> seconds_if(const std::optional<Moment::duration>& duration) {
    return duration ? std::optional(seconds_of(*duration)) : std::nullopt;
}

constexpr ProbeNumber kProbeNumbers[] = {
    {"curlew_probe_epoch_start_seconds",
     kGauge,
     "When the probe's newest epoch began: its counters did then.",
     [](const ProbeStatus& probe) { return std::optional(seconds_of(probe.started_ns)); }},
    {"curlew_probe_last_frame_age_seconds",
     kGauge,
     "Since a frame of the probe came; absent before the first since the collector's start.",
     [](const ProbeStatus& probe) { return seconds_if(probe.heard_ago); }},
    {"curlew_probe_last_acknowledgement_age_seconds",
     kGauge,
     "Since frames of the probe were durable and acknowledged; absent before the first time.",
     [](const ProbeStatus& probe) { return seconds_if(probe.acknowledged_ago); }},
    {"curlew_probe_durable_sequence",
     kGauge,
     "The last sequence number of the epoch that is stored.",
     [](const ProbeStatus& probe) { return std::optional(number(probe.last_durable)); }},
    {"curlew_probe_sequences_missing_total",
     kCounter,
     "Sequence numbers of the epoch that will never come.",
     [](const ProbeStatus& probe) { return std::optional(number(probe.sequences_missing)); }},
    {"curlew_probe_journal_bytes",
     kGauge,
     "Stored of the epoch and not sealed yet.",
     [](const ProbeStatus& probe) { return std::optional(number(probe.octets_waiting)); }},
};

struct CollectorNumber {
    const char* name;
    MetricType type;
    const char* help;
    double (*value)(const LiveStatus&);
};

constexpr CollectorNumber kCollectorNumbers[] = {
    {"curlew_collector_probes",
     kGauge,
     "Probes whose epoch goes on.",
     [](const LiveStatus& status) { return number(status.probes); }},
    {"curlew_collector_frames_stored_total",
     kCounter,
     "Frames written to journals.",
     [](const LiveStatus& status) { return number(status.intake.frames_stored); }},
    {"curlew_collector_frames_duplicate_total",
     kCounter,
     "Frames that came again and count once.",
     [](const LiveStatus& status) { return number(status.intake.frames_duplicate); }},
    {"curlew_collector_frames_out_of_sequence_total",
     kCounter,
     "Frames that came before one that is missing, and have to come again.",
     [](const LiveStatus& status) { return number(status.intake.frames_out_of_sequence); }},
    {"curlew_collector_frames_unstored_total",
     kCounter,
     "Frames that the disk did not take, and that have to come again.",
     [](const LiveStatus& status) { return number(status.intake.frames_unstored); }},
    {"curlew_collector_gaps_total",
     kCounter,
     "Times that something was lost for good between a probe and its journal.",
     [](const LiveStatus& status) { return number(status.intake.gaps); }},
    {"curlew_collector_commits_total",
     kCounter,
     "Times that a journal was made durable.",
     [](const LiveStatus& status) { return number(status.intake.commits); }},
    {"curlew_collector_records_received_total",
     kCounter,
     "Records written to journals.",
     [](const LiveStatus& status) { return number(status.intake.records_stored); }},
    {"curlew_collector_records_sealed_total",
     kCounter,
     "Records written to sealed datasets.",
     [](const LiveStatus& status) { return number(status.records_sealed); }},
    {"curlew_collector_datasets_sealed_total",
     kCounter,
     "Datasets sealed.",
     [](const LiveStatus& status) { return number(status.datasets_sealed); }},
    {"curlew_collector_datasets_removed_total",
     kCounter,
     "Datasets removed to keep the archive within its bounds.",
     [](const LiveStatus& status) { return number(status.datasets_removed); }},
    {"curlew_collector_removed_bytes_total",
     kCounter,
     "Of those datasets with their manifests.",
     [](const LiveStatus& status) { return number(status.octets_removed); }},
    {"curlew_collector_journal_bytes",
     kGauge,
     "Stored and not sealed yet.",
     [](const LiveStatus& status) { return number(status.octets_waiting); }},
};

Labels labels_of(const ProbeStatus& probe) {
    return {{"probe", probe.name}};
}

// A series is given once and there are few of them, whatever a probe says.
template <typename Key>
class BoundedSums {
  public:
    explicit BoundedSums(Key other) : other_(std::move(other)) {}

    void add(const Key& key, bool is_sane, uint64_t count) {
        const bool is_known = sums_.contains(key);
        const bool fits = is_known || (is_sane && sums_.size() < kMaximumReasonSeries);
        sums_[fits ? key : other_] += count;
    }
    const std::map<Key, uint64_t>& sums() const { return sums_; }

  private:
    Key other_;
    std::map<Key, uint64_t> sums_;
};

bool is_sane(const std::string& reason) {
    return reason.size() <= kMaximumReasonOctets;
}

class Families {
  public:
    void begin(const char* name, MetricType type, const char* help) {
        families_.push_back({name, help, type, {}});
    }

    void add(Labels labels, double value) {
        ClientMetric& metric = families_.back().metric.emplace_back();
        metric.label = std::move(labels);
        (families_.back().type == kCounter ? metric.counter.value : metric.gauge.value) = value;
    }

    std::string text() {
        // A name without a series says nothing.
        std::erase_if(families_, [](const MetricFamily& family) { return family.metric.empty(); });
        std::ostringstream out;
        prometheus::TextSerializer().Serialize(out, families_);
        return std::move(out).str();
    }

  private:
    std::vector<MetricFamily> families_;
};

void add_counts(Families& families, const LedgerCounts& list, const ProbeStatus& probe) {
    BoundedSums<std::string> sums(kOther);
    for (const proto::Count& count : list.counts(*probe.ledger)) {
        const std::string reason = wire_text(count.reason());
        sums.add(reason, is_sane(reason), count.packets());
    }
    for (const auto& [reason, count] : sums.sums()) {
        Labels labels = labels_of(probe);
        labels.push_back({list.label, reason});
        families.add(std::move(labels), number(count));
    }
}

void add_queues(Families& families, const ProbeStatus& probe) {
    using Key = std::pair<std::string, std::string>;
    BoundedSums<Key> sums({kOther, kOther});
    for (const proto::LossInterval& loss : probe.ledger->losses()) {
        const std::string reason = wire_text(loss.reason());
        sums.add({std::to_string(loss.queue()), reason}, is_sane(reason), loss.lost());
    }
    for (const auto& [key, count] : sums.sums()) {
        Labels labels = labels_of(probe);
        labels.push_back({"queue", key.first});
        labels.push_back({"reason", key.second});
        families.add(std::move(labels), number(count));
    }
}

void add_probes(Families& families, const std::vector<ProbeStatus>& probes) {
    for (const ProbeNumber& one : kProbeNumbers) {
        families.begin(one.name, one.type, one.help);
        for (const ProbeStatus& probe : probes) {
            if (const auto value = one.value(probe)) {
                families.add(labels_of(probe), *value);
            }
        }
    }
    for (const LedgerNumber& one : kLedgerNumbers) {
        families.begin(one.name, one.type, one.help);
        for (const ProbeStatus& probe : probes) {
            if (probe.ledger) {
                families.add(labels_of(probe), one.value(*probe.ledger));
            }
        }
    }
    for (const LedgerNumber& one : kRecordingNumbers) {
        families.begin(one.name, one.type, one.help);
        for (const ProbeStatus& probe : probes) {
            if (probe.ledger && probe.ledger->has_recording()) {
                families.add(labels_of(probe), one.value(*probe.ledger));
            }
        }
    }
    for (const LedgerCounts& list : kLedgerCounts) {
        families.begin(list.name, kCounter, list.help);
        for (const ProbeStatus& probe : probes) {
            if (probe.ledger) {
                add_counts(families, list, probe);
            }
        }
    }
    families.begin("curlew_probe_queue_lost_total",
                   kCounter,
                   "Packets, or records, lost in the times that the ledger tells, by queue.");
    for (const ProbeStatus& probe : probes) {
        if (probe.ledger) {
            add_queues(families, probe);
        }
    }
}

void add_collector(Families& families, const LiveStatus& status, const ProcessFacts& process) {
    families.begin("curlew_build_info", kGauge, "1, with the program's version.");
    families.add({{"version", process.version}}, 1);
    families.begin(
        "curlew_collector_resident_memory_bytes", kGauge, "Memory of the collector in use.");
    families.add({}, number(process.resident_octets));
    for (const CollectorNumber& one : kCollectorNumbers) {
        families.begin(one.name, one.type, one.help);
        families.add({}, one.value(status));
    }
    families.begin("curlew_collector_disk_free_bytes", kGauge, "Free for the archive.");
    if (status.octets_free) {
        families.add({}, number(*status.octets_free));
    }
    families.begin("curlew_collector_refused_total",
                   kCounter,
                   "Connections, frames and hellos that were not let in.");
    for (const auto& [reason, count] : status.refusals.by_reason()) {
        families.add({{"reason", reason}}, number(count));
    }
    families.begin("curlew_collector_records_refused_total",
                   kCounter,
                   "Records received and in no dataset, for their batch breaks a limit.");
    for (const auto& [reason, count] : status.records_refused) {
        families.add({{"reason", reason}}, number(count));
    }
    families.begin(
        "curlew_collector_trouble", kGauge, "1 where something does not go as it should.");
    families.add({{"part", "intake"}}, status.intake_trouble.empty() ? 0 : 1);
    families.add({{"part", "seal"}}, status.seal_trouble.empty() ? 0 : 1);
    families.add({{"part", "retention"}}, status.retention_trouble.empty() ? 0 : 1);
}

}  // namespace

std::string render_metrics(const LiveStatus& status, const ProcessFacts& process) {
    Families families;
    add_collector(families, status, process);
    add_probes(families, status.probe_status);
    return families.text();
}

uint64_t resident_octets() {
    std::ifstream file("/proc/self/statm");
    uint64_t whole = 0;
    uint64_t resident_pages = 0;
    if (!(file >> whole >> resident_pages)) {
        return 0;
    }
    return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace curlew::collector

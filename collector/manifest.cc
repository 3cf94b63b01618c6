#include "collector/manifest.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>

#include <charconv>
#include <filesystem>

#include "collector/device_file.h"
#include "collector/json_members.h"
#include "collector/json_output.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using Counts = google::protobuf::RepeatedPtrField<proto::Count>;

constexpr const char* kNoLedger = "the input ended without the probe's ledger";

class ManifestWriter {
  public:
    explicit ManifestWriter(const ManifestInput& input) : input_(input) {
        json_.writer().SetIndent(' ', 2);
    }

    std::string render() {
        json_.start_object();
        json_.number("schema", static_cast<uint64_t>(kManifestSchema));
        program();
        dataset();
        window();
        capture();
        configuration();
        file();
        source();
        probe();
        collector();
        sequences();
        gaps();
        losses();
        tally("flow_types", input_.sealed.flow_types);
        tally("labels", input_.sealed.labels);
        tally("evidence", input_.sealed.evidence);
        metadata();
        if (input_.sealed.devices) {
            json_.flag("names_complete", input_.sealed.names_complete);
            write_devices(json_, *input_.sealed.devices);
        }
        unclean_end();
        json_.end_object();
        return std::string(json_.finish());
    }

  private:
    void text(std::string_view name, std::string_view value) {
        json_.text(wire_text(name), wire_text(value));
    }
    // 64 bits do not survive readers that take every number for a double.
    void identifier(std::string_view name, uint64_t value) {
        text(name, fmt::format("{:016x}", value));
    }
    void tally(std::string_view name, const Tally& tally) {
        json_.key(name);
        json_.start_object();
        for (const auto& [reason, count] : tally) {
            json_.number(wire_text(reason), count);
        }
        json_.end_object();
    }
    // In order of the reasons, for the probe lists them as it met them; one listed twice is added.
    void counts(std::string_view name, const Counts& counts) {
        Tally sorted;
        for (const proto::Count& count : counts) {
            sorted[count.reason()] += count.packets();
        }
        tally(name, sorted);
    }

    void program() {
        json_.key("program");
        json_.start_object();
        text("name", "curlew");
        text("version", input_.config.program_version);
        json_.end_object();
    }

    void dataset() {
        const DatasetConfig& config = input_.config;
        json_.key("dataset");
        json_.start_object();
        text("group", config.group);
        text("scenario", config.scenario);
        text("name", config.name);
        text("preset", config.preset);
        text("fields", name_of(config.fields));
        json_.number("record_schema", kRecordSchema);
        text("records", config.records == RecordChoice::all ? "all" : "first");
        text("selection", config.selection);
        text("ruleset_hash", config.ruleset_hash);
        text("signatures_hash", config.signatures_hash);
        json_.number("vocabulary", config.vocabulary);
        json_.end_object();
    }

    void time(const std::string& name, uint64_t time_ns) {
        text(name, utc_text(time_ns));
        json_.number(name + "_ns", time_ns);
    }

    void window() {
        if (input_.live == nullptr) {
            return;
        }
        if (!input_.live->window) {
            json_.null("window");
            return;
        }
        json_.key("window");
        json_.start_object();
        time("from", input_.live->window->from_ns);
        time("to", input_.live->window->to_ns);
        json_.end_object();
    }

    void capture() {
        if (input_.live != nullptr) {
            json_.null("capture");
            return;
        }
        const CaptureFacts& capture = input_.config.capture;
        json_.key("capture");
        json_.start_object();
        text("file", std::filesystem::path(capture.file).filename().string());
        text("sha256", capture.sha256);
        json_.number("octets", capture.octets);
        text("link_type", capture.link_type);
        json_.flag("nanosecond", capture.nanosecond);
        json_.end_object();
    }

    void configuration() {
        json_.key("configuration");
        json_.start_object();
        for (const auto& [name, value] : input_.config.configuration) {
            text(name, value);
        }
        json_.end_object();
    }

    void file() {
        const DatasetSums& sums = input_.sealed.sums;
        json_.key("file");
        json_.start_object();
        text("encoding", suffix_of(input_.encoding));
        json_.number("records", input_.sealed.records.written);
        json_.number("octets", sums.octets);
        text("sha256", sums.sha256);
        json_.number("content_octets", sums.content_octets);
        text("content_sha256", sums.content_sha256);
        json_.end_object();
    }

    // Whose records these are, as its hello said.
    void source() {
        if (input_.live == nullptr) {
            return;
        }
        const proto::Hello& hello = input_.live->epoch.hello;
        json_.key("source");
        json_.start_object();
        text("probe", hello.probe_name());
        text("program_version", hello.program_version());
        time("started", hello.started_ns());
        json_.key("clock");
        json_.start_object();
        if (hello.has_clock_synchronised()) {
            json_.flag("synchronised", hello.clock_synchronised());
            json_.number("maximum_error_us", hello.clock_maximum_error_us());
        } else {
            json_.null("synchronised");
            json_.null("maximum_error_us");
        }
        json_.end_object();
        json_.key("ports");
        json_.start_array();
        for (const proto::PortFacts& port : hello.ports()) {
            json_.start_object();
            text("device", port.device());
            text("driver", port.driver());
            text("clock", port.clock());
            text("filter", port.filter());
            json_.flag("losses_counted", port.losses_counted());
            json_.end_object();
        }
        json_.end_array();
        json_.end_object();
    }

    void probe() {
        if (!input_.sealed.ledger) {
            json_.null("probe");
            return;
        }
        json_.key("probe");
        const proto::ProbeLedger& ledger = *input_.sealed.ledger;
        json_.start_object();
        json_.number("packets_offered", ledger.packets_offered());
        json_.number("packets_metered", ledger.packets_metered());
        json_.number("octets_metered", ledger.octets_metered());
        counts("packets_not_metered", ledger.packets_not_metered());
        counts("packets_lost", ledger.packets_lost());
        json_.flag("packets_lost_unknown", ledger.packets_lost_unknown());
        json_.number("first_packet_ns", ledger.first_packet_ns());
        json_.number("last_packet_ns", ledger.last_packet_ns());
        json_.number("flows_created", ledger.flows_created());
        json_.number("records_created", ledger.records_created());
        json_.number("records_sent", ledger.records_sent());
        json_.number("records_waiting", ledger.records_waiting());
        counts("records_lost", ledger.records_lost());
        counts("flow_ends", ledger.flow_ends());
        counts("notes", ledger.notes());
        json_.key("upstream");
        json_.start_object();
        json_.number("tcp_octets_seen", ledger.tcp_octets_seen());
        json_.number("tcp_octets_unseen", ledger.tcp_octets_unseen());
        json_.end_object();
        clock_steps(ledger);
        recording(ledger);
        json_.flag("final", ledger.final());
        json_.end_object();
    }

    void clock_steps(const proto::ProbeLedger& ledger) {
        if (input_.live == nullptr) {
            return;
        }
        json_.key("clock_steps");
        json_.start_array();
        for (const proto::ClockStep& step : ledger.clock_steps()) {
            json_.start_object();
            time("at", step.at_ns());
            json_.key("by_ns");
            json_.writer().Int64(step.by_ns());
            json_.end_object();
        }
        json_.end_array();
    }

    // With the files that hold packets of these records.
    void recording(const proto::ProbeLedger& ledger) {
        if (input_.live == nullptr) {
            return;
        }
        if (!ledger.has_recording()) {
            json_.null("recording");
            return;
        }
        const proto::Recording& recording = ledger.recording();
        json_.key("recording");
        json_.start_object();
        json_.number("packets_recorded", recording.packets_recorded());
        json_.number("octets_recorded", recording.octets_recorded());
        json_.number("packets_not_chosen", recording.packets_not_chosen());
        counts("packets_lost", recording.packets_lost());
        json_.key("files");
        json_.start_array();
        for (const proto::RecordingFile& file : recording.files()) {
            if (is_in_reach({file.from_ns(), file.to_ns()})) {
                json_.start_object();
                text("name", file.name());
                time("from", file.from_ns());
                time("to", file.to_ns());
                json_.end_object();
            }
        }
        json_.end_array();
        json_.end_object();
    }

    void collector() {
        const RecordCounts& records = input_.sealed.records;
        json_.key("collector");
        json_.start_object();
        json_.number("records_received", records.received);
        tally("records_refused", records.refused);
        json_.number("records_not_selected", records.not_selected);
        json_.number("records_not_first", records.not_first);
        json_.number("records_written", records.written);
        json_.end_object();
    }

    void sequences() {
        json_.key("sequences");
        json_.start_array();
        if (input_.first_sequence != 0 || input_.live != nullptr) {
            json_.start_object();
            identifier("probe", input_.config.probe_id);
            identifier("epoch", input_.config.epoch);
            json_.number("first", input_.first_sequence);
            json_.number("last", input_.last_sequence);
            json_.end_object();
        }
        json_.end_array();
    }

    void gaps() {
        if (input_.live == nullptr) {
            return;
        }
        json_.key("gaps");
        json_.start_array();
        for (const Gap& gap : input_.live->epoch.gaps) {
            json_.start_object();
            json_.number("first", gap.first);
            json_.number("last", gap.last);
            json_.end_object();
        }
        json_.end_array();
    }

    bool is_in_reach(const LossSpan& span) const {
        if (input_.live == nullptr) {
            return true;
        }
        const LossSpan& reach = input_.live->reach;
        return span.from_ns <= reach.to_ns && span.to_ns >= reach.from_ns;
    }

    void losses() {
        const bool any = input_.sealed.ledger && input_.sealed.ledger->losses_size() > 0;
        if (input_.live == nullptr && !any) {
            return;
        }
        json_.key("losses");
        json_.start_array();
        if (input_.sealed.ledger) {
            for (const proto::LossInterval& loss : input_.sealed.ledger->losses()) {
                if (is_in_reach({loss.from_ns(), loss.to_ns()})) {
                    json_.start_object();
                    time("from", loss.from_ns());
                    time("to", loss.to_ns());
                    json_.number("queue", uint64_t{loss.queue()});
                    text("reason", loss.reason());
                    json_.number("lost", loss.lost());
                    json_.end_object();
                }
            }
        }
        const auto end = input_.live != nullptr ? input_.live->lost_at_the_end : std::nullopt;
        if (end && is_in_reach(*end)) {
            json_.start_object();
            time("from", end->from_ns);
            if (end->to_ns == UINT64_MAX) {
                json_.null("to");
                json_.null("to_ns");
            } else {
                time("to", end->to_ns);
            }
            json_.null("queue");
            text("reason", "unclean_end");
            json_.null("lost");
            json_.end_object();
        }
        json_.end_array();
    }

    void metadata() {
        json_.key("metadata");
        json_.start_object();
        json_.number("messages", input_.sealed.metadata.messages);
        json_.number("malformed", input_.sealed.metadata.malformed);
        json_.end_object();
    }

    void unclean_end() {
        const auto& ledger = input_.sealed.ledger;
        if (input_.live != nullptr && !input_.live->unclean_end.empty()) {
            text("unclean_end", input_.live->unclean_end);
        } else if (input_.live != nullptr && !ledger) {
            json_.null("unclean_end");  // it has not ended
        } else if (!ledger) {
            text("unclean_end", kNoLedger);
        } else if (!ledger->capture_warning().empty()) {
            text("unclean_end", ledger->capture_warning());
        } else {
            json_.null("unclean_end");
        }
    }

    const ManifestInput& input_;
    JsonOutput<rapidjson::PrettyWriter<rapidjson::StringBuffer>> json_;
};

bool read(const rapidjson::Value& object, const char* name, uint64_t& value) {
    const rapidjson::Value* found = member(object, name);
    if (found == nullptr || !found->IsUint64()) {
        return false;
    }
    value = found->GetUint64();
    return true;
}

bool read(const rapidjson::Value& object, const char* name, std::string& value) {
    const rapidjson::Value* found = member(object, name);
    if (found == nullptr || !found->IsString()) {
        return false;
    }
    value.assign(found->GetString(), found->GetStringLength());
    return true;
}

// Sum of the numbers of an object of reasons; wraps as the counters would.
uint64_t sum_of(const rapidjson::Value& object, const char* name) {
    const rapidjson::Value* reasons = member(object, name);
    uint64_t sum = 0;
    if (reasons != nullptr && reasons->IsObject()) {
        for (const auto& reason : reasons->GetObject()) {
            sum += reason.value.IsUint64() ? reason.value.GetUint64() : 0;
        }
    }
    return sum;
}

bool is_live(const rapidjson::Value& manifest) {
    const rapidjson::Value* capture = member(manifest, "capture");
    return capture != nullptr && capture->IsNull();
}

// Of a capture the one dataset holds all that the probe sent. Of a live line it holds a part, and
// the ledger is cumulative: it closes by itself.
bool probe_closes(const rapidjson::Value& probe, bool live, uint64_t received) {
    uint64_t offered = 0;
    uint64_t metered = 0;
    uint64_t created = 0;
    uint64_t sent = received;
    uint64_t waiting = 0;
    if (!read(probe, "packets_offered", offered) || !read(probe, "packets_metered", metered) ||
        !read(probe, "records_created", created)) {
        return false;
    }
    if (live && (!read(probe, "records_sent", sent) || !read(probe, "records_waiting", waiting))) {
        return false;
    }
    return offered ==
               metered + sum_of(probe, "packets_not_metered") + sum_of(probe, "packets_lost") &&
           created == sent + waiting + sum_of(probe, "records_lost");
}

// A dataset whose probe sent no ledger has only the collector's half to close.
bool ledgers_close(const rapidjson::Value& manifest, uint64_t records) {
    const rapidjson::Value* collector = member(manifest, "collector");
    uint64_t received = 0;
    uint64_t not_selected = 0;
    uint64_t not_first = 0;
    if (collector == nullptr || !read(*collector, "records_received", received) ||
        !read(*collector, "records_not_selected", not_selected) ||
        !read(*collector, "records_not_first", not_first) ||
        received != sum_of(*collector, "records_refused") + not_selected + not_first + records) {
        return false;
    }
    const rapidjson::Value* probe = member(manifest, "probe");
    return probe != nullptr &&
           (probe->IsNull() || probe_closes(*probe, is_live(manifest), received));
}

bool read_identifier(const rapidjson::Value& object, const char* name, uint64_t& value) {
    std::string digits;
    if (!read(object, name, digits) || digits.size() != 16) {
        return false;
    }
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return error == std::errc() && end == digits.data() + digits.size();
}

// False when a live manifest lacks what every one has.
bool read_epoch(const rapidjson::Value& manifest, EpochManifest& epoch) {
    const rapidjson::Value* collector = member(manifest, "collector");
    const rapidjson::Value* sequences = member(manifest, "sequences");
    const rapidjson::Value* gaps = member(manifest, "gaps");
    const rapidjson::Value* probe = member(manifest, "probe");
    if (collector == nullptr || sequences == nullptr || gaps == nullptr || probe == nullptr ||
        !sequences->IsArray() || sequences->Size() != 1 || !gaps->IsArray()) {
        return false;
    }
    const rapidjson::Value& own = (*sequences)[0];
    bool whole = read(*collector, "records_received", epoch.records_received) &&
                 read_identifier(own, "probe", epoch.probe_id) &&
                 read_identifier(own, "epoch", epoch.epoch) &&
                 read(own, "first", epoch.first_sequence) && read(own, "last", epoch.last_sequence);
    for (const rapidjson::Value& item : gaps->GetArray()) {
        Gap& gap = epoch.gaps.emplace_back();
        whole = whole && read(item, "first", gap.first) && read(item, "last", gap.last);
    }
    if (probe->IsNull()) {
        return whole;
    }
    const rapidjson::Value* is_final = member(*probe, "final");
    epoch.final_ledger = is_final != nullptr && is_final->IsTrue();
    return whole && is_final != nullptr && read(*probe, "records_sent", epoch.records_sent);
}

}  // namespace

std::string render_manifest(const ManifestInput& input) {
    return ManifestWriter(input).render();
}

std::optional<ManifestFacts> parse_manifest(std::string_view text) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    uint64_t schema = 0;
    if (document.HasParseError() || !read(document, "schema", schema) ||
        schema != static_cast<uint64_t>(kManifestSchema)) {
        return std::nullopt;
    }
    const rapidjson::Value* file = member(document, "file");
    const rapidjson::Value* dataset = member(document, "dataset");
    ManifestFacts facts;
    std::string encoding;
    const bool whole =
        dataset != nullptr && read(*dataset, "preset", facts.preset) && file != nullptr &&
        read(*file, "encoding", encoding) && read(*file, "records", facts.records) &&
        read(*file, "octets", facts.sums.octets) && read(*file, "sha256", facts.sums.sha256) &&
        read(*file, "content_octets", facts.sums.content_octets) &&
        read(*file, "content_sha256", facts.sums.content_sha256);
    if (!whole) {
        return std::nullopt;
    }
    if (is_live(document)) {
        facts.live.emplace();
        if (!read_epoch(document, *facts.live)) {
            return std::nullopt;
        }
    }
    for (const Encoding known : {Encoding::json, Encoding::json_zstd}) {
        if (encoding == suffix_of(known)) {
            facts.encoding = known;
            facts.ledgers_close = ledgers_close(document, facts.records);
            return facts;
        }
    }
    return std::nullopt;
}

}  // namespace curlew::collector

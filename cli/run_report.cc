#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "cli/one_line.h"
#include "cli/run.h"
#include "cli/say.h"
#include "collector/wire_text.h"

namespace curlew::cli {

namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;
using Tally = std::map<std::string, uint64_t>;

uint64_t sum_of(const Tally& tally) {
    uint64_t sum = 0;
    for (const auto& entry : tally) {
        sum += entry.second;
    }
    return sum;
}

void write_number(Json& json, const char* key, uint64_t value) {
    json.Key(key);
    json.Uint64(value);
}

void write_tally(Json& json, const char* key, const Tally& tally) {
    json.Key(key);
    json.StartObject();
    for (const auto& [name, count] : tally) {
        json.Key(name.c_str(), static_cast<rapidjson::SizeType>(name.size()));
        json.Uint64(count);
    }
    json.EndObject();
}

void write_sentences(Json& json, const char* key, const std::vector<std::string>& sentences) {
    json.Key(key);
    json.StartArray();
    for (const std::string& sentence : sentences) {
        const std::string text = one_line(collector::wire_text(sentence));
        json.String(text.c_str(), static_cast<rapidjson::SizeType>(text.size()));
    }
    json.EndArray();
}

void print_tally(const char* title, const Tally& tally, std::FILE* out) {
    if (tally.empty()) {
        return;
    }
    std::vector<std::pair<std::string, uint64_t>> rows(tally.begin(), tally.end());
    std::stable_sort(
        rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    say(out, "{}\n", title);
    for (const auto& [name, count] : rows) {
        say(out, "  {:>12}  {}\n", count, name);
    }
}

void print_ledger_line(const char* what, uint64_t count, const Tally& reasons, std::FILE* out) {
    say(out, "  {:<22}{:>14}", what, count);
    const char* joint = "   ";
    for (const auto& [reason, part] : reasons) {
        say(out, "{}{} {}", joint, reason, part);
        joint = ", ";
    }
    say(out, "\n");
}

}  // namespace

void print_run(const RunSummary& summary, std::FILE* out) {
    for (const std::string& warning : summary.warnings) {
        say(out, "warning: {}\n", one_line(warning));
    }
    for (const std::string& failure : summary.failures) {
        say(out, "curlew: {}\n", one_line(failure));
    }
    if (summary.files.empty()) {
        return;
    }
    say(out, "packets\n");
    print_ledger_line("offered", summary.packets_offered, {}, out);
    print_ledger_line("metered", summary.packets_metered, {}, out);
    print_ledger_line(
        "not metered", sum_of(summary.packets_not_metered), summary.packets_not_metered, out);
    print_ledger_line("lost", sum_of(summary.packets_lost), summary.packets_lost, out);
    say(out, "records\n");
    print_ledger_line("created", summary.records_created, {}, out);
    print_ledger_line("written", summary.records_written, {}, out);
    print_ledger_line("not selected", summary.records_not_selected, {}, out);
    print_ledger_line("lost", sum_of(summary.records_lost), summary.records_lost, out);
    print_tally("flow types", summary.flow_types, out);
    say(out, "{:.2f} s, {:.2f} s of processor time\n", summary.wall_seconds, summary.cpu_seconds);
    for (const auto& file : summary.files) {
        say(out, "sealed {}\n", one_line(file.string()));
    }
    if (summary.files_sealed_before != 0) {
        say(out, "{} of them equal what was sealed before\n", summary.files_sealed_before);
    }
}

std::string run_json(const RunSummary& summary) {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.SetMaxDecimalPlaces(6);
    json.StartObject();
    write_number(json, "packets_offered", summary.packets_offered);
    write_number(json, "packets_metered", summary.packets_metered);
    write_tally(json, "packets_not_metered", summary.packets_not_metered);
    write_tally(json, "packets_lost", summary.packets_lost);
    write_number(json, "octets_metered", summary.octets_metered);
    write_number(json, "records_created", summary.records_created);
    write_number(json, "records_written", summary.records_written);
    write_number(json, "records_not_selected", summary.records_not_selected);
    write_tally(json, "records_lost", summary.records_lost);
    write_tally(json, "flow_types", summary.flow_types);
    write_tally(json, "labels", summary.labels);
    write_tally(json, "evidence", summary.evidence);
    json.Key("cpu_seconds");
    json.Double(summary.cpu_seconds);
    json.Key("wall_seconds");
    json.Double(summary.wall_seconds);
    json.Key("files");
    json.StartArray();
    for (const auto& file : summary.files) {
        json.String(collector::wire_text(file.string()).c_str());
    }
    json.EndArray();
    write_number(json, "files_sealed_before", summary.files_sealed_before);
    write_sentences(json, "warnings", summary.warnings);
    write_sentences(json, "failures", summary.failures);
    json.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace curlew::cli

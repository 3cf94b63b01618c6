#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "cli/bench.h"
#include "cli/say.h"

namespace curlew::cli {

namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void write_text(Json& json, const char* key, const std::string& text) {
    json.Key(key);
    json.String(text.c_str(), static_cast<rapidjson::SizeType>(text.size()));
}

void write_number(Json& json, const char* key, uint64_t number) {
    json.Key(key);
    json.Uint64(number);
}

void write_number(Json& json, const char* key, double number) {
    json.Key(key);
    json.Double(number);
}

void write_result(Json& json, const BenchResult& result) {
    json.StartObject();
    write_text(json, "workload", result.workload);
    write_text(json, "profile", result.profile);
    write_number(json, "workers", uint64_t{result.workers});
    write_number(json, "flows", result.flows);
    write_number(json, "frame_octets", uint64_t{result.frame_octets});
    write_number(json, "mpps", result.mpps);
    write_number(json, "mpps_minimum", result.mpps_minimum);
    write_number(json, "mpps_maximum", result.mpps_maximum);
    write_number(json, "gbit_per_s", result.gbit_per_s);
    write_number(json, "bare_mpps", result.bare_mpps);
    json.Key("ns_per_packet");
    json.StartObject();
    for (const auto& [stage, ns] : result.ns_per_packet) {
        write_number(json, stage.c_str(), ns);
    }
    json.EndObject();
    write_number(json, "packets_lost", result.packets_lost);
    write_number(json, "records_exported", result.records_exported);
    write_number(json, "peak_rss_octets", result.peak_rss_octets);
    json.EndObject();
}

void print_head(std::FILE* out) {
    say(out,
        "{:<17}{:>10}{:>7}{:>9}{:>17}{:>9}{:>9}{:>7}{:>10}{:>11}\n",
        "workload",
        "flows",
        "octets",
        "Mpps",
        "lowest-highest",
        "Gbit/s",
        "bare",
        "ns",
        "MiB",
        "records");
}

}  // namespace

void BenchTable::add(const BenchResult& result) {
    if (!has_head_) {
        has_head_ = true;
        print_head(out_);
    }
    say(out_,
        "{:<17}{:>10}{:>7}{:>9.2f}{:>17}{:>9.2f}{:>9.2f}{:>7.0f}{:>10}{:>11}\n",
        result.workload,
        result.flows == 0 ? "new" : fmt::format("{}", result.flows),
        result.frame_octets,
        result.mpps,
        fmt::format("{:.2f}-{:.2f}", result.mpps_minimum, result.mpps_maximum),
        result.gbit_per_s,
        result.bare_mpps,
        1e3 / result.mpps,
        result.peak_rss_octets >> 20,
        result.records_exported);
}

std::string bench_json(const std::vector<BenchResult>& results) {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.SetMaxDecimalPlaces(3);
    json.StartArray();
    for (const BenchResult& result : results) {
        write_result(json, result);
    }
    json.EndArray();
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace curlew::cli

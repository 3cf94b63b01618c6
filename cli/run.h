#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

// `curlew run`: captures to sealed datasets in one process. Port, meter, exporter, channel and
// collector are the services' own; only their composition is this file's.

namespace curlew::cli {

struct RunConfig {
    std::vector<std::filesystem::path> captures;
    std::filesystem::path archive;
    std::filesystem::path signatures_folder;
    std::string group = "any";
    std::string scenario;  // empty: the capture's parent folder
    // In joy-3.0.3 fields, profile, timeouts, workers and copies say nothing.
    std::string preset = "curlew";
    std::string fields = "full";
    std::string profile = "dataset";
    uint16_t packets = 50;               // listed of each direction
    std::string packets_of = "payload";  // or "all"
    // Seconds; 0: off. As the probe's [meter.timeouts].
    uint32_t idle_tcp_s = 300;
    uint32_t idle_other_s = 60;
    uint32_t active_s = 300;
    uint32_t closed_s = 5;
    std::string filter;
    std::string select;  // empty in joy-3.0.3 with first records: what the group published
    std::string records = "all";
    std::vector<std::string> roles;  // "role=address"
    size_t workers = 1;
    bool decapsulate = true;         // meter what is inside tunnels
    std::string copies = "count";    // or "remove", "off": what becomes of a mirror's copies
    uint32_t copy_window_us = 1000;  // how much later one comes at most
    bool compress = false;
    bool progress = false;  // draw a bar on stderr
};

// Sums over the captures that became datasets.
struct RunSummary {
    uint64_t packets_offered = 0;
    uint64_t packets_metered = 0;
    std::map<std::string, uint64_t> packets_not_metered;
    std::map<std::string, uint64_t> packets_lost;
    uint64_t octets_metered = 0;
    uint64_t records_created = 0;
    uint64_t records_written = 0;
    uint64_t records_not_selected = 0;
    std::map<std::string, uint64_t> records_lost;
    std::map<std::string, uint64_t> flow_types;
    std::map<std::string, uint64_t> labels;
    std::map<std::string, uint64_t> evidence;
    double cpu_seconds = 0;
    double wall_seconds = 0;
    std::vector<std::filesystem::path> files;
    uint64_t files_sealed_before = 0;   // of these: an equal dataset was there, nothing changed
    std::vector<std::string> warnings;  // one sentence each
    std::vector<std::string> failures;  // captures that gave no dataset, one sentence each
};

// Throws UsageError for what is wrong on the command line, std::runtime_error for what is wrong
// with signatures or archive; a capture that fails is told in failures and the rest goes on.
RunSummary run_captures(const RunConfig& config);

void print_run(const RunSummary& summary, std::FILE* out);
std::string run_json(const RunSummary& summary);

}  // namespace curlew::cli

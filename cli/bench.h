#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_packets.h"
#include "probe/port.h"

// `curlew bench`, and `curlew-probe --bench` over a device: how fast this machine meters, workload
// by workload, beside how fast it hands out and touches the same packets (bare). Receiver, worker
// and flow table are the probe's own; records are taken out of the worker's ring and thrown away.

namespace curlew::cli {

struct BenchConfig {
    static constexpr uint64_t kMostFlows = 20'000'000;

    std::filesystem::path signatures_folder;
    std::string workload;           // of the named ones; empty: all
    std::filesystem::path capture;  // empty: none
    uint64_t flows = 0;             // 0: not said
    uint32_t frame_octets = 0;      // 0: not said; with the frame check sequence
    std::string profile = "line-rate";
    size_t workers = 1;
    double seconds = 5;                              // of each workload, the bare rate not counted
    size_t pool_octets = BenchPackets::kPoolOctets;  // memory of one workload's own packets
    uint64_t least_capacity = 1'250'000;             // of the table, in flows: never full
    // Opens a device that plays a capture again and again, of which it keeps nothing but packets in
    // buffers of its own: so there are few. Empty: packets come out of memory.
    std::function<std::shared_ptr<probe::Port>(const std::filesystem::path& capture)> open_device;
};

struct BenchResult {
    std::string workload;
    std::string profile;
    size_t workers = 1;
    uint64_t flows = 0;
    uint32_t frame_octets = 0;  // mean, with the frame check sequence
    double mpps = 0;            // median of the rounds
    double mpps_minimum = 0;
    double mpps_maximum = 0;
    double gbit_per_s = 0;  // of whole frames, without preamble and gap
    double bare_mpps = 0;
    std::vector<std::pair<std::string, double>> ns_per_packet;  // by stage
    uint64_t packets_lost = 0;
    uint64_t records_exported = 0;
    uint64_t peak_rss_octets = 0;  // without the packets' memory
};

// Tells each result as it comes. Throws UsageError for options that exclude each other, else
// std::runtime_error.
std::vector<BenchResult> run_bench(const BenchConfig& config,
                                   const std::function<void(const BenchResult&)>& tell);

// A table for people, row by row; its head comes with the first one.
class BenchTable {
  public:
    explicit BenchTable(std::FILE* out) : out_(out) {}
    void add(const BenchResult& result);

  private:
    std::FILE* out_;
    bool has_head_ = false;
};
std::string bench_json(const std::vector<BenchResult>& results);

}  // namespace curlew::cli

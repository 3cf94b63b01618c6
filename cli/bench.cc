#include "cli/bench.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "cli/bench_port.h"
#include "cli/usage_error.h"
#include "probe/dispatcher.h"
#include "signatures/compiled_set.h"

namespace curlew::cli {

namespace {

constexpr int kRounds = 5;
constexpr uint32_t kShortestFrame = 64;
constexpr uint32_t kLongestFrame = 9'018;
constexpr uint64_t kManyFlows = 1'000'000;

constexpr size_t kSynFrames = size_t{2} << 20;
// That a device is given to play: two thousand octets of buffer each.
constexpr size_t kDeviceFrames = size_t{128} << 10;

// A workload and how its packets are made, which takes seconds and gigabytes.
struct Entry {
    BenchWorkload workload;
    std::function<BenchPackets()> make;
};

Entry udp_entry(const BenchConfig& config,
                const std::string& name,
                uint64_t flows,
                uint32_t frame_octets) {
    Entry entry;
    entry.workload.name = name;
    entry.workload.flows = flows;
    uint64_t in_pool = flows;
    size_t pool_octets = config.pool_octets;
    if (config.open_device) {
        // In both directions.
        in_pool = std::min<uint64_t>(flows, kDeviceFrames / 2);
        entry.workload.client_sets = (flows + in_pool - 1) / in_pool;
        entry.workload.flows = entry.workload.client_sets * in_pool;
        pool_octets = kDeviceFrames * BenchPackets::octets_of(frame_octets);
    }
    entry.make = [in_pool, frame_octets, pool_octets] {
        return BenchPackets::of_udp(in_pool, frame_octets, pool_octets);
    };
    return entry;
}

// Of so many frames for each flow.
Entry flows_entry(const BenchConfig& config,
                  const std::string& name,
                  size_t frames_of_flow,
                  BenchPackets (*make)(uint64_t)) {
    const uint64_t flows = config.open_device ? kDeviceFrames / frames_of_flow : kManyFlows;
    Entry entry;
    entry.workload.name = name;
    entry.workload.flows = flows;
    entry.make = [flows, make] { return make(flows); };
    return entry;
}

// Each frame begins a flow, `step_ns` after the one before.
Entry beginning_entry(const std::string& name,
                      uint64_t step_ns,
                      std::function<BenchPackets()> make) {
    Entry entry;
    entry.workload.name = name;
    entry.workload.step_ns = step_ns;
    entry.workload.variation = FrameVariation::new_sender;
    entry.make = std::move(make);
    return entry;
}

size_t most_frames(const BenchConfig& config) {
    return config.open_device ? kDeviceFrames : BenchPackets::kAnyNumber;
}

Entry imix_entry(const BenchConfig& config) {
    Entry entry;
    entry.workload.name = "imix";
    entry.make = [most = most_frames(config)] {
        return BenchPackets::of_imix(BenchPackets::kPoolOctets, most);
    };
    return entry;
}

// Homes' flows begin and end: a million are kept for the minute that they are silent before.
Entry iot_entry(const BenchConfig& config) {
    constexpr uint64_t kPacketsOfFlow = 8;
    Entry entry;
    entry.workload.name = "iot-mix";
    entry.workload.flows = kManyFlows;
    entry.workload.step_ns = 60'000'000'000 / kPacketsOfFlow / kManyFlows;
    entry.workload.client_sets = kEndlessClients;
    entry.make = [most = most_frames(config)] {
        return BenchPackets::of_iot_mix(BenchPackets::kPoolOctets, most);
    };
    return entry;
}

std::vector<Entry> all_entries(const BenchConfig& config) {
    const size_t syns = std::min(kSynFrames, most_frames(config));
    return {
        udp_entry(config, "udp-1k", 1'000, kShortestFrame),
        udp_entry(config, "udp-10k", 10'000, kShortestFrame),
        udp_entry(config, "udp-1m", kManyFlows, kShortestFrame),
        udp_entry(config, "udp-10m", 10 * kManyFlows, kShortestFrame),
        flows_entry(config, "colliding-keys", 1, BenchPackets::of_colliding_keys),
        imix_entry(config),
        iot_entry(config),
        flows_entry(config, "fragments", 2, BenchPackets::of_fragments),
        // A million flows at once: a minute after its packet a flow is over.
        beginning_entry(
            "one-packet-flows", 60'000, udp_entry(config, "", kManyFlows, kShortestFrame).make),
        // More than the table holds.
        beginning_entry("syn-flood", 1'000, [syns] { return BenchPackets::of_syns(syns); }),
    };
}

std::vector<Entry> named_entry(const BenchConfig& config) {
    std::string names;
    for (const Entry& entry : all_entries(config)) {
        if (entry.workload.name == config.workload) {
            return {entry};
        }
        names += " " + entry.workload.name;
    }
    throw UsageError(fmt::format("--workload {}: one of{}", config.workload, names));
}

std::vector<Entry> entries_of(const BenchConfig& config) {
    const bool is_made = config.flows != 0 || config.frame_octets != 0;
    if (int{!config.capture.empty()} + int{is_made} + int{!config.workload.empty()} > 1) {
        throw UsageError("bench: --workload, or --capture, or --flows and --frame-octets");
    }
    if (config.flows > BenchConfig::kMostFlows) {
        throw UsageError(
            fmt::format("--flows {}: at most {}", config.flows, BenchConfig::kMostFlows));
    }
    if (config.frame_octets != 0 &&
        (config.frame_octets < kShortestFrame || config.frame_octets > kLongestFrame)) {
        throw UsageError(fmt::format("--frame-octets {}: from {} to {}",
                                     config.frame_octets,
                                     kShortestFrame,
                                     kLongestFrame));
    }
    if (!config.capture.empty()) {
        Entry entry;
        entry.workload.name = "capture";
        entry.make = [&config] {
            return BenchPackets::of_capture(
                config.capture, config.pool_octets, most_frames(config));
        };
        return {entry};
    }
    if (is_made) {
        return {udp_entry(config,
                          "udp",
                          config.flows != 0 ? config.flows : kManyFlows,
                          config.frame_octets != 0 ? config.frame_octets : kShortestFrame)};
    }
    return config.workload.empty() ? all_entries(config) : named_entry(config);
}

double mpps_of(const BenchRound& round) {
    return static_cast<double>(round.packets) / round.seconds / 1e6;
}

std::vector<double> sorted_rates(const std::vector<BenchRound>& rounds) {
    std::vector<double> rates;
    for (const BenchRound& round : rounds) {
        rates.push_back(mpps_of(round));
    }
    std::sort(rates.begin(), rates.end());
    return rates;
}

// Burst receive, the first line of each frame read, release.
double bare_mpps(BenchPort& port, uint64_t warm_up_packets, double round_seconds) {
    port.begin({warm_up_packets, kRounds, round_seconds});
    std::array<probe::PacketView, probe::kMaximumBurst> burst;
    uint64_t sum = 0;
    while (port.state() == probe::PortState::running) {
        const size_t count = port.receive(burst);
        for (size_t i = 0; i < count; ++i) {
            sum += *burst[i].data;
        }
        port.release();
    }
    // Read, whatever the optimiser thinks of it.
    asm volatile("" : : "r"(sum));
    if (port.state() == probe::PortState::broken) {
        throw std::runtime_error(port.fault());
    }
    return sorted_rates(port.rounds())[kRounds / 2];
}

// The device has read the file when it is open.
std::unique_ptr<BenchPort> open_port(const BenchConfig& config,
                                     const BenchPackets& packets,
                                     const BenchWorkload& workload) {
    if (!config.open_device) {
        return std::make_unique<MemoryPort>(packets, workload);
    }
    std::string folder = std::filesystem::temp_directory_path() / "curlew-bench-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) {
        throw std::runtime_error(fmt::format("{}: cannot be made", folder));
    }
    const std::shared_ptr<void> removed(nullptr, [&folder](void*) {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    });
    const std::filesystem::path capture = std::filesystem::path(folder) / "packets.pcap";
    packets.write(capture);
    return std::make_unique<DevicePort>(packets, workload, config.open_device(capture));
}

// Whole rounds of the packets, until the flows' first ones, which are scanned, are over.
uint64_t warm_up_packets(const BenchPackets& packets, uint64_t flows) {
    const uint64_t round = packets.order().size();
    const uint64_t scanned = flows * 2 * (probe::kScannedPackets + 1);
    return (scanned + round - 1) / round * round;
}

void add_stages(const probe::StageClock& clock,
                const BenchRound& round,
                std::vector<std::pair<std::string, double>>& ns_per_packet) {
    const auto& ticks = clock.ticks();
    const auto all = static_cast<double>(std::accumulate(ticks.begin(), ticks.end(), uint64_t{0}));
    const double ns = round.seconds * 1e9 / static_cast<double>(round.packets);
    for (size_t i = 0; i < ticks.size(); ++i) {
        ns_per_packet.emplace_back(probe::name_of(static_cast<probe::Stage>(i)),
                                   ns * static_cast<double>(ticks[i]) / all);
    }
}

// In octets; 0 where the system does not tell.
uint64_t peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) {
            return std::stoull(line.substr(std::string_view("VmHWM:").size())) * 1024;
        }
    }
    return 0;
}

// The peak is that of now, from now on.
void forget_peak_memory() {
    std::ofstream("/proc/self/clear_refs") << "5";
}

probe::DispatcherConfig dispatcher_config(const BenchConfig& config,
                                          const BenchWorkload& workload) {
    probe::DispatcherConfig dispatcher;
    dispatcher.workers = config.workers;
    dispatcher.worker.meter.details = config.profile == "dataset";
    dispatcher.worker.flow_capacity = std::max(config.least_capacity, workload.flows * 5 / 4);
    std::random_device random;
    std::generate(dispatcher.hash_key.begin(), dispatcher.hash_key.end(), [&random] {
        return static_cast<uint8_t>(random());
    });
    return dispatcher;
}

// As a probe has it that is given memory, as far as this machine has so much.
proto::MappedMemory memory_for_tables(const probe::DispatcherConfig& config) {
    const uint64_t octets = probe::table_octets(config.worker, config.workers);
    constexpr const char* kWhat = "flow table";
    return octets <= proto::MappedMemory::available_octets() / 2
               ? proto::MappedMemory::taken(octets, kWhat)
               : proto::MappedMemory::of_huge_pages(octets, kWhat);
}

// Empties the rings until told to stop, and once more then; how many records came.
uint64_t throw_records_away(const std::vector<probe::ByteRing*>& rings,
                            const std::atomic<bool>& stop) {
    uint64_t records = 0;
    while (true) {
        const bool last = stop.load(std::memory_order_acquire);
        const uint64_t before = records;
        for (probe::ByteRing* ring : rings) {
            for (; !ring->front().empty(); ++records) {
                ring->pop();
            }
        }
        if (records == before) {
            if (last) {
                return records;
            }
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    }
}

BenchResult measure(const BenchConfig& config,
                    const Entry& entry,
                    const probe::Inspector& inspector) {
    const BenchPackets packets = entry.make();
    const BenchWorkload& workload = entry.workload;
    const double round_seconds = config.seconds / kRounds;
    BenchResult result;
    result.workload = workload.name;
    result.profile = config.profile;
    result.workers = config.workers;
    const bool begins_flows = workload.variation == FrameVariation::new_sender;
    result.flows = workload.flows != 0 || begins_flows ? workload.flows : packets.count_flows();
    result.frame_octets = packets.mean_frame_octets();
    const std::unique_ptr<BenchPort> port = open_port(config, packets, workload);
    result.bare_mpps = bare_mpps(*port, packets.order().size(), round_seconds / 4);

    forget_peak_memory();
    const uint64_t warm_up =
        begins_flows ? config.least_capacity : warm_up_packets(packets, result.flows);
    probe::StageClock stages;
    // Of several threads none has all stages.
    probe::StageClock* const clock = config.workers == 1 ? &stages : nullptr;
    port->begin({warm_up, kRounds, round_seconds, clock});
    probe::DispatcherConfig dispatching = dispatcher_config(config, workload);
    dispatching.worker.meter.stages = clock;
    proto::MappedMemory table_memory = memory_for_tables(dispatching);
    dispatching.worker.memory = &table_memory;
    probe::Dispatcher dispatcher(dispatching, {port.get()}, inspector);
    std::atomic<bool> stop{false};
    std::thread consumer(
        [&] { result.records_exported = throw_records_away(dispatcher.record_rings(), stop); });
    try {
        dispatcher.run({});
    } catch (...) {
        stop.store(true, std::memory_order_release);
        consumer.join();
        throw;
    }
    stop.store(true, std::memory_order_release);
    consumer.join();

    if (port->state() == probe::PortState::broken) {
        throw std::runtime_error(port->fault());
    }
    const std::vector<double> rates = sorted_rates(port->rounds());
    result.mpps_minimum = rates.front();
    result.mpps = rates[rates.size() / 2];
    result.mpps_maximum = rates.back();
    result.gbit_per_s = result.mpps * result.frame_octets * 8 / 1e3;
    result.ns_per_packet = {{"bare", 1e3 / result.bare_mpps}, {"all", 1e3 / result.mpps}};
    if (clock != nullptr) {
        add_stages(stages, port->stage_round(), result.ns_per_packet);
    }
    const probe::MeterLedger ledger = dispatcher.ledger();
    result.packets_lost = ledger.packets.packets_lost_handing_over + ledger.port.packets_missed +
                          ledger.port.packets_in_error + ledger.port.packets_without_buffer;
    const uint64_t peak = peak_memory();
    result.peak_rss_octets = peak - std::min<uint64_t>(peak, packets.memory_octets());
    return result;
}

}  // namespace

std::vector<BenchResult> run_bench(const BenchConfig& config,
                                   const std::function<void(const BenchResult&)>& tell) {
    const std::vector<Entry> entries = entries_of(config);
    const signatures::SignatureSet set =
        signatures::load_compiled(config.signatures_folder, signatures::default_cache_folder()).set;
    if (!set.problems().empty()) {
        throw UsageError(to_string(set.problems().front()));
    }
    const probe::Inspector inspector(set);
    std::vector<BenchResult> results;
    for (const Entry& entry : entries) {
        results.push_back(measure(config, entry, inspector));
        tell(results.back());
    }
    return results;
}

}  // namespace curlew::cli

// A probe and its collector over days of virtual time: midnights, devices that get other addresses
// by DHCP, a system's clock that is set, retention. Memory does not grow, and every record that the
// line gave is explained.
//
// usage: virtual_days DAYS [MINUTES]
//
// MINUTES: length of a window of packet time, 10 when not given. The last line is `N passed, M
// failed`.
#include <fmt/core.h>
#include <rapidjson/document.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collector/index.h"
#include "collector/live_collector.h"
#include "collector/verify.h"
#include "dpdk_port/line_clock.h"
#include "probe/probe_service.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/temporary_folder.h"

namespace {

using namespace curlew;
namespace fs = std::filesystem;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kHour = 3600 * kSecond;
constexpr uint64_t kDay = 24 * kHour;
// 2026-11-27 20:00:00 UTC: the first midnight is four hours away.
constexpr uint64_t kStart = 1'795'809'600 * kSecond;
// Of virtual time between two polls of the line: far below any timeout.
constexpr uint64_t kPoll = 2 * kSecond;
constexpr uint64_t kPollsPerLook = 500;
constexpr uint64_t kFlowEvery = 60 * kSecond;
constexpr unsigned kDevices = 20;
constexpr uint64_t kKeptOctets = uint64_t{4} << 20;
// How far the line may be ahead of the collector, in windows: a line does not wait, but a day here
// lasts seconds.
constexpr uint64_t kMostAhead = 40;

dpdk_port::LineClock::Reading clocks;

dpdk_port::LineClock::Reading read_clocks() noexcept {
    return clocks;
}

uint64_t resident_octets() {
    std::ifstream file("/proc/self/statm");
    uint64_t pages = 0;
    file >> pages >> pages;
    return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// A line of one home whose devices each ask, answer and are given addresses. Its packets are
// stamped by a wall clock that is set now and then; its time goes on, as a device's port has it.
class VirtualLine final : public probe::Port {
  public:
    VirtualLine(unsigned days, uint64_t window_ns, std::function<uint64_t()> windows_sealed)
        : clock_({kStart, kStart / 2}, read_clocks),
          end_ns_(kStart + days * kDay),
          window_ns_(window_ns),
          windows_sealed_(std::move(windows_sealed)) {
        clocks = {kStart, kStart / 2};
        for (unsigned i = 0; i < kDevices; ++i) {
            hosts_.push_back(10 + i);
        }
    }

    size_t receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept override {
        packets_.clear();
        if (now_ns_ >= end_ns_) {
            state_ = probe::PortState::ended;
            return 0;
        }
        if ((now_ns_ - kStart) / window_ns_ > windows_sealed_() + kMostAhead) {
            std::this_thread::yield();
            return 0;
        }
        pass(kPoll);
        set_clock();
        if (now_ns_ >= next_flow_ns_) {
            next_flow_ns_ = now_ns_ + kFlowEvery;
            add_flow();
        }
        for (size_t i = 0; i < packets_.size(); ++i) {
            burst[i] = packets_[i].view();
        }
        counters_.packets_offered += packets_.size();
        return packets_.size();
    }
    void release() noexcept override {}
    probe::PortState state() const noexcept override { return state_; }
    bool caught_up() const noexcept override { return packets_.empty(); }
    bool is_live() const noexcept override { return true; }
    uint64_t now_ns() const noexcept override { return now_ns_; }
    probe::ClockSteps clock_steps() const noexcept override { return clock_.steps(); }
    probe::PortCounters counters() const noexcept override { return counters_; }
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return -1; }

    // After the end.
    uint64_t flows() const noexcept { return flows_; }
    uint64_t packets() const noexcept { return counters_.packets_offered; }
    // By day: what stays, without what a seal takes while it is made.
    const std::vector<uint64_t>& memory() const noexcept { return memory_; }

  private:
    void pass(uint64_t ns) {
        clocks.wall_ns += ns;
        clocks.steady_ns += ns;
        const uint64_t day = (now_ns_ - kStart) / kDay;
        now_ns_ = clock_.now_ns();
        if (++polls_ % kPollsPerLook == 0) {
            least_of_day_ = std::min(least_of_day_, resident_octets());
        }
        if ((now_ns_ - kStart) / kDay != day) {
            memory_.push_back(std::exchange(least_of_day_, UINT64_MAX));
        }
    }

    // Every tenth day by an hour or a day, there and back.
    void set_clock() {
        constexpr int64_t kSteps[] = {
            int64_t{kHour}, -int64_t{kHour}, int64_t{kDay}, -int64_t{kDay}};
        const uint64_t due = (now_ns_ - kStart + 9 * kDay) / (10 * kDay);
        if (due > steps_) {
            clocks.wall_ns += static_cast<uint64_t>(kSteps[steps_++ % std::size(kSteps)]);
            now_ns_ = clock_.now_ns();
        }
    }

    void put(tests::PacketBuilder builder) {
        tests::Packet packet = builder.build();
        packet.time_ns = clock_.time_of_stamp(clocks.wall_ns + packets_.size() * 1'000'000);
        packets_.push_back(std::move(packet));
    }

    std::string address(unsigned device) const {
        return fmt::format("192.168.7.{}", hosts_[device]);
    }

    // Each flow has a port of its own, so that it is one record.
    void add_flow() {
        const auto device = static_cast<unsigned>(random_() % kDevices);
        const auto port = static_cast<uint16_t>(10'000 + flows_ % 50'000);
        const std::string mac = fmt::format("02:00:00:00:07:{:02x}", device);
        const auto out = [&] {
            return tests::PacketBuilder{}.ethernet(mac).ipv4(address(device), "192.168.7.1");
        };
        const auto in = [&] {
            return tests::PacketBuilder{}
                .ethernet("02:00:00:00:07:fe", mac)
                .ipv4("192.168.7.1", address(device));
        };
        ++flows_;
        if (random_() % 50 == 0) {
            // Another address, as of a lease that ran out.
            hosts_[device] = static_cast<unsigned>(10 + random_() % 240);
        }
        if (random_() % 2 == 0) {
            put(out().udp(port, 53).payload(dns_query()));
            put(in().udp(53, port).payload(dns_query()));
            return;
        }
        put(out().tcp(port, 80).flags("S").sequence(99));
        put(in().tcp(80, port).flags("SA").sequence(499).acknowledgement(100));
        put(out().tcp(port, 80).flags("PA").sequence(100).acknowledgement(500).payload(
            "GET /state HTTP/1.1\r\nHost: known.example\r\n\r\n"));
        put(out().tcp(port, 80).flags("R").sequence(144));
    }

    static tests::Octets dns_query() {
        return {0,   7,   1, 0,   0,   1,   0,   0,   0,   0,   0, 0, 5, 'k', 'n', 'o',
                'w', 'n', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0,   1};
    }

    dpdk_port::LineClock clock_;
    uint64_t end_ns_;
    uint64_t window_ns_;
    std::function<uint64_t()> windows_sealed_;
    std::mt19937 random_{7};
    std::vector<unsigned> hosts_;
    std::vector<tests::Packet> packets_;
    std::vector<uint64_t> memory_;
    uint64_t least_of_day_ = UINT64_MAX;
    uint64_t polls_ = 0;
    uint64_t now_ns_ = kStart;
    uint64_t next_flow_ns_ = kStart;
    uint64_t flows_ = 0;
    uint64_t steps_ = 0;
    probe::PortState state_ = probe::PortState::running;
    probe::PortCounters counters_;
    std::string fault_;
};

class Results {
  public:
    void check(const char* claim, bool holds, const std::string& seen) {
        ++(holds ? passed_ : failed_);
        if (!holds) {
            fmt::print("FAIL {}: {}\n", claim, seen);
        }
    }
    int finish() const {
        fmt::print("{} passed, {} failed\n", passed_, failed_);
        return failed_ == 0 ? 0 : 1;
    }

  private:
    int passed_ = 0;
    int failed_ = 0;
};

// Sums over the archive, of what was removed as well.
struct Archive {
    uint64_t received = 0;
    uint64_t removed_datasets = 0;
    uint64_t gaps = 0;
    uint64_t losses = 0;
    uint64_t clock_steps = 0;  // in the final ledger
    uint64_t created = 0;      // likewise
    uint64_t packets = 0;      // likewise, metered
    uint64_t waiting = 0;
    bool final_ledger = false;
};

Archive read_archive(const fs::path& folder) {
    Archive sums;
    const collector::ArchiveIndex index(folder);
    for (const collector::IndexEntry& entry : index.present()) {
        std::ifstream file(folder / entry.manifest);
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        rapidjson::Document manifest;
        manifest.Parse(text.data(), text.size());
        sums.received += manifest["collector"]["records_received"].GetUint64();
        sums.gaps += manifest["gaps"].Size();
        sums.losses += manifest["losses"].Size();
        const rapidjson::Value& probe = manifest["probe"];
        if (probe.IsObject() && probe["final"].GetBool()) {
            sums.final_ledger = true;
            sums.created = probe["records_created"].GetUint64();
            sums.packets = probe["packets_metered"].GetUint64();
            sums.waiting = probe["records_waiting"].GetUint64();
            sums.clock_steps = probe["clock_steps"].Size();
        }
    }
    for (const collector::IndexEntry& entry : index.removed()) {
        sums.received += entry.tombstone->received;
        ++sums.removed_datasets;
    }
    return sums;
}

uint64_t mean(const std::vector<uint64_t>& values, size_t from, size_t to) {
    return std::accumulate(values.begin() + static_cast<ptrdiff_t>(from),
                           values.begin() + static_cast<ptrdiff_t>(to),
                           uint64_t{0}) /
           (to - from);
}

// The first half of the days is for caches and tables: with a flow a minute it takes a month until
// every page of them was touched.
void check_memory(Results& results, const std::vector<uint64_t>& memory) {
    if (memory.size() < 10) {
        fmt::print("{} days are too few to say whether memory grows\n", memory.size());
        return;
    }
    const size_t begin = memory.size() / 2;
    const size_t middle = memory.size() * 3 / 4;
    const uint64_t first = mean(memory, begin, middle);
    const uint64_t second = mean(memory, middle, memory.size());
    const double growth = static_cast<double>(second) / static_cast<double>(first) - 1;
    const std::string seen = fmt::format("{:.2f} MB, later {:.2f} MB: {:+.2f} %",
                                         static_cast<double>(first) / 1e6,
                                         static_cast<double>(second) / 1e6,
                                         growth * 100);
    fmt::print("memory: {}; by day, kB:", seen);
    for (const uint64_t octets : memory) {
        fmt::print(" {}", octets / 1000);
    }
    fmt::print("\n");
    results.check("memory grows by less than 1 %", growth < 0.01, seen);
}

collector::CollectorConfig collector_config(const fs::path& folder,
                                            const std::string& endpoint,
                                            uint32_t minutes) {
    collector::CollectorConfig config;
    config.listen = {endpoint};
    config.archive = folder / "archive";
    config.rotate.minutes = minutes;
    config.keep.octets = kKeptOctets;
    return config;
}

probe::ServiceConfig probe_config(const fs::path& folder, const std::string& endpoint) {
    probe::ServiceConfig config;
    config.probe.name = "virtual";
    config.probe.ports = {{.device = "virtual"}};
    config.probe.collector = endpoint;
    config.probe.spool = (folder / "spool").string();
    config.probe.spool_octets = uint64_t{256} << 20;
    config.probe.flow_capacity = 4096;
    config.probe.idle_sleep_us = 0;
    config.probe.ledger_seconds = 1;
    config.probe.drain_seconds = 60;
    return config;
}

void check_archive(Results& results,
                   const fs::path& folder,
                   const VirtualLine& line,
                   unsigned days) {
    const Archive archive = read_archive(folder);
    const std::string seen = fmt::format(
        "{} flows, {} packets sent; {} packets metered, {} records created, {} received, "
        "{} waiting; {} datasets removed, {} gaps, {} losses, {} clock steps",
        line.flows(),
        line.packets(),
        archive.packets,
        archive.created,
        archive.received,
        archive.waiting,
        archive.removed_datasets,
        archive.gaps,
        archive.losses,
        archive.clock_steps);
    fmt::print("{} days: {}\n", days, seen);
    results.check("the last ledger came", archive.final_ledger, seen);
    results.check("each packet is metered", archive.packets == line.packets(), seen);
    results.check("each flow is one record", archive.created == line.flows(), seen);
    results.check("each record is received", archive.received == line.flows(), seen);
    results.check("nothing is lost", archive.gaps == 0 && archive.losses == 0, seen);
    results.check("each setting of the clock is told",
                  archive.clock_steps == std::min<uint64_t>((days + 9) / 10, 32),
                  seen);
    const collector::VerifyResult verified = collector::verify_archive(
        folder, [](const std::string& problem) { fmt::print("{}\n", problem); });
    results.check(
        "the archive holds", verified.holds(), fmt::format("{} problems", verified.problems));
}

int run(unsigned days, uint32_t minutes) {
    const tests::TemporaryFolder folder;
    const std::string endpoint = "ipc://" + (folder.path() / "channel").string();
    const collector::CollectorConfig config = collector_config(folder.path(), endpoint, minutes);
    collector::LiveCollector service(
        config, fs::path(CURLEW_SOURCE_ROOT) / "signatures", "virtual");
    proto::ChannelContext context;
    proto::ChannelReceiver receiver(context, endpoint);
    std::atomic<uint64_t> sealed = 0;
    std::stop_source stop;
    std::thread collecting([&] {
        service.run(receiver, stop.get_token(), [&](const collector::LiveStatus& status) {
            sealed.store(status.datasets_sealed);
        });
    });

    VirtualLine line(days, minutes * 60 * kSecond, [&sealed] { return sealed.load(); });
    probe::ProbeService metering(
        probe_config(folder.path(), endpoint),
        tests::test_signatures(),
        {{.port = &line, .device = "virtual", .driver = "virtual", .clock = "device ns"}},
        [](const std::string& sentence) { fmt::print("{}\n", sentence); });
    const probe::ServiceOutcome outcome = metering.run();
    stop.request_stop();
    collecting.join();

    Results results;
    results.check("the probe ends well", outcome.done, outcome.sentence);
    check_archive(results, config.archive, line, days);
    check_memory(results, line.memory());
    return results.finish();
}

}  // namespace

int main(int argc, char** argv) {
    const int days = argc > 1 ? std::atoi(argv[1]) : 0;
    const int minutes = argc > 2 ? std::atoi(argv[2]) : 10;
    if (days < 1 || days > 3650 || minutes < 1 || minutes > 1440) {
        fmt::print(stderr, "usage: virtual_days DAYS [MINUTES]\n");
        return 2;
    }
    return run(static_cast<unsigned>(days), static_cast<uint32_t>(minutes));
}

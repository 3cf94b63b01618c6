// How many records of flows of one packet go through the exporter into the synced spool: out of a
// worker's ring that is always full, with nobody listening and with a collector that acknowledges
// at once; and from the packets on, through the meter.
//
// usage: spool_rate [RECORDS]     in a folder of its own where TMPDIR says; 2000000 records
#include <fmt/core.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

#include "cli/bench_port.h"
#include "probe/dispatcher.h"
#include "probe/exporter.h"
#include "probe/flow_summary.h"
#include "probe/inspector.h"
#include "signatures/compiled_set.h"
#include "signatures/signature_folder.h"
#include "tests/bench/record_images.h"
#include "tests/bench/stopwatch.h"
#include "tests/support/temporary_folder.h"

namespace {

using namespace curlew;
using tests::processor_seconds;
using tests::Stopwatch;

constexpr int kRounds = 5;
constexpr size_t kRing = size_t{64} << 20;
constexpr const char* kEndpoint = "inproc://spool-rate";

struct Round {
    double records_per_s = 0;
    double exporter_ns = 0;  // of its thread's processor, by record
};

void feed(probe::ByteRing& ring, const std::vector<std::string>& images, uint64_t records) {
    for (uint64_t i = 0; i < records; ++i) {
        const std::string& image = images[i % images.size()];
        uint8_t* place = ring.reserve(image.size());
        while (place == nullptr) {
            std::this_thread::yield();
            place = ring.reserve(image.size());
        }
        std::memcpy(place, image.data(), image.size());
        tests::make_another(place, static_cast<uint32_t>(i / images.size()));
        ring.commit(image.size());
    }
}

// Takes what comes, and tells that it is durable.
class Acknowledger {
  public:
    explicit Acknowledger(proto::ChannelContext& context)
        : receiver_(context, kEndpoint), thread_([this](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  take(receiver_.receive(std::chrono::milliseconds(20)));
              }
          }) {}

  private:
    void take(const std::optional<proto::ReceivedFrame>& frame) {
        if (!frame) {
            return;
        }
        const proto::FrameHeader& header = frame->header;
        if (header.kind == proto::FrameKind::hello) {
            receiver_.welcome(*frame, 0);
        } else {
            receiver_.acknowledge(
                frame->peer,
                header.probe_id,
                header.epoch,
                header.first_sequence + std::max<uint64_t>(header.record_count, 1) - 1);
        }
    }

    proto::ChannelReceiver receiver_;
    std::jthread thread_;
};

// A probe's exporter with its spool.
class Way {
  public:
    Way(const signatures::SignatureSet& set, bool acknowledges)
        : spool_(folder_, 9, hello()),
          acknowledger_(acknowledges ? std::make_unique<Acknowledger>(context_) : nullptr),
          sender_(context_, {.endpoint = kEndpoint, .probe_id = 7, .epoch = 9}),
          exporter_({.probe_id = 7,
                     .epoch = 9,
                     .spool_octets = uint64_t{16} << 30,
                     .wait_for_collector = false,
                     .drain = std::chrono::milliseconds(acknowledges ? 60'000 : 0)},
                    set,
                    sender_,
                    &spool_) {}

    void start(const std::vector<probe::ByteRing*>& rings) {
        exporting_ = std::thread([this, rings] {
            exporter_.run(rings);
            processor_ = processor_seconds();
        });
    }

    // Until all records are synced.
    void wait(const probe::MeterLedger& ledger, uint64_t records) {
        exporter_.finish(ledger);
        while (spool_.synced() < records) {
            std::this_thread::yield();
        }
    }

    // Of the exporter's thread.
    double end() {
        exporting_.join();
        if (exporter_.state().records_lost != 0 || spool_.failed_syncs() != 0) {
            throw std::runtime_error("records were lost");
        }
        return processor_;
    }

  private:
    static std::string hello() {
        std::string frame;
        proto::append_frame({proto::FrameKind::hello, 7, 9, 1, 0}, {}, frame);
        return frame;
    }

    tests::TemporaryFolder temporary_;
    probe::SpoolFolder folder_{temporary_.path()};
    probe::Spool spool_;
    proto::ChannelContext context_;
    std::unique_ptr<Acknowledger> acknowledger_;
    proto::ChannelSender sender_;
    probe::Exporter exporter_;
    std::thread exporting_;
    double processor_ = 0;
};

Round from_ring(const signatures::SignatureSet& set,
                const std::vector<std::string>& images,
                uint64_t records,
                bool acknowledges) {
    Way way(set, acknowledges);
    probe::ByteRing ring(kRing);
    const Stopwatch watch;
    way.start({&ring});
    feed(ring, images, records);
    way.wait({}, records);
    const double seconds = watch.seconds();
    const auto count = static_cast<double>(records);
    return {count / seconds, way.end() / count * 1e9};
}

// A flow's record comes a minute after its packet: all within the time measured end in it.
Round from_packets(const signatures::SignatureSet& set, uint64_t records) {
    constexpr uint64_t kFlowsAtOnce = 200'000;
    const cli::BenchPackets packets = cli::BenchPackets::of_udp(1'000'000, 64);
    const cli::BenchWorkload workload{.name = "",
                                      .step_ns = 60'000'000'000 / kFlowsAtOnce,
                                      .variation = cli::FrameVariation::new_sender};
    cli::MemoryPort port(packets, workload);
    port.begin({records, 1, 0});
    probe::DispatcherConfig config;
    config.worker.flow_capacity = 2 * kFlowsAtOnce;
    config.worker.record_ring_octets = kRing;
    const probe::Inspector inspector(set);
    probe::Dispatcher dispatcher(config, {&port}, inspector);
    Way way(set, false);
    const Stopwatch watch;
    way.start(dispatcher.record_rings());
    dispatcher.run({});
    const probe::MeterLedger ledger = dispatcher.ledger();
    way.wait(ledger, ledger.flows.records_created);
    const double seconds = watch.seconds();
    const auto count = static_cast<double>(ledger.flows.records_created);
    return {count / seconds, way.end() / count * 1e9};
}

void print_rates(const char* what, const std::function<Round()>& measure) {
    std::vector<double> rates;
    std::vector<double> times;
    for (int round = 0; round <= kRounds; ++round) {
        const Round result = measure();
        // The first one warms up.
        if (round != 0) {
            rates.push_back(result.records_per_s);
            times.push_back(result.exporter_ns);
        }
    }
    fmt::print(
        "{:<28}{:>8.0f} records/s ({:.0f} to {:.0f}), exporter's thread {:.0f} ns a record\n",
        what,
        tests::median_of(rates),
        *std::min_element(rates.begin(), rates.end()),
        *std::max_element(rates.begin(), rates.end()),
        tests::median_of(times));
}

// Alone, in one thread.
void print_stages(const signatures::SignatureSet& set, const std::vector<std::string>& images) {
    constexpr uint64_t kRecords = 400'000;
    proto::FlowSummary summary;
    std::string octets;
    size_t total = 0;
    for (const bool serializes : {false, true}) {
        const double begin = processor_seconds();
        for (uint64_t i = 0; i < kRecords; ++i) {
            const std::string& image = images[i % images.size()];
            probe::summarize(
                {reinterpret_cast<const uint8_t*>(image.data()), image.size()}, set, summary);
            if (serializes) {
                summary.SerializeToString(&octets);
                total += octets.size();
            }
        }
        fmt::print("{:<28}{:>8.0f} ns a record\n",
                   serializes ? "message made and serialized" : "message made",
                   (processor_seconds() - begin) / double{kRecords} * 1e9);
    }
    fmt::print("{:<28}{:>8.0f} octets a record, {:.0f} in the ring\n",
               "",
               static_cast<double>(total) / double{kRecords},
               static_cast<double>(images.front().size()));
}

}  // namespace

int main(int argument_count, char** arguments) {
    const uint64_t records =
        argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 2000000;
    const signatures::SignatureSet set =
        signatures::load_compiled(signatures::default_signature_folder(),
                                  signatures::default_cache_folder())
            .set;
    const std::vector<std::string> images =
        tests::record_images(set, tests::RecordKind::one_packet);
    print_stages(set, images);
    print_rates("ring, nobody listens", [&] { return from_ring(set, images, records, false); });
    print_rates("ring, acknowledged", [&] { return from_ring(set, images, records, true); });
    print_rates("packets, nobody listens", [&] { return from_packets(set, records); });
}

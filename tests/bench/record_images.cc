#include "tests/bench/record_images.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "cli/bench_port.h"
#include "probe/dispatcher.h"
#include "probe/flow_summary.h"
#include "probe/inspector.h"
#include "probe/record_image.h"
#include "proto/flow.pb.h"
#include "proto/frame.h"

namespace curlew::tests {

namespace {

constexpr size_t kPoolOctets = size_t{4} << 20;
constexpr uint64_t kOnePacketFlows = 8192;
constexpr size_t kBatchOctets = 64 * 1024;

// Empties the rings while a dispatcher fills them.
void collect(const std::vector<probe::ByteRing*>& rings,
             const std::atomic<bool>& over,
             std::vector<std::string>& images) {
    bool last = false;
    while (true) {
        bool moved = false;
        for (probe::ByteRing* ring : rings) {
            for (auto image = ring->front(); !image.empty(); image = ring->front()) {
                images.emplace_back(reinterpret_cast<const char*>(image.data()), image.size());
                ring->pop();
                moved = true;
            }
        }
        if (last && !moved) {
            return;
        }
        last = over.load(std::memory_order_acquire);
    }
}

std::span<const uint8_t> octets_of(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

std::vector<std::string> record_images(const signatures::SignatureSet& set, RecordKind kind) {
    const cli::BenchPackets packets =
        kind == RecordKind::one_packet
            ? cli::BenchPackets::of_udp(
                  kOnePacketFlows, 64, kOnePacketFlows * cli::BenchPackets::kLineOctets)
            : cli::BenchPackets::of_iot_mix(kPoolOctets);
    const cli::BenchWorkload workload{.name = "", .step_ns = 1'000'000};
    cli::MemoryPort port(packets, workload);
    port.begin({packets.order().size(), 1, 0});
    probe::DispatcherConfig config;
    config.worker.meter.details = kind == RecordKind::iot_dataset;
    config.worker.flow_capacity = 65'536;
    const probe::Inspector inspector(set);
    probe::Dispatcher dispatcher(config, {&port}, inspector);
    std::vector<std::string> images;
    std::atomic<bool> over{false};
    std::thread collecting([&] { collect(dispatcher.record_rings(), over, images); });
    dispatcher.run({});
    over.store(true, std::memory_order_release);
    collecting.join();
    return images;
}

void make_another(uint8_t* image, uint32_t number) {
    uint8_t* address =
        image + offsetof(probe::RecordImage, hot.key) + offsetof(probe::FlowKey, low_address);
    const uint32_t mask = number * 0x9e3779b1;
    uint32_t part = 0;
    std::memcpy(&part, address, sizeof(part));
    part ^= mask & 0xffffff00;
    std::memcpy(address, &part, sizeof(part));
}

std::vector<std::string> record_frames(const signatures::SignatureSet& set,
                                       const std::vector<std::string>& images,
                                       uint64_t records) {
    std::vector<std::string> frames;
    proto::FlowBatch batch;
    proto::FlowSummary summary;
    batch.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    size_t octets = 0;
    uint64_t next_sequence = 1;
    uint64_t first_ns = ~uint64_t{0};
    uint64_t last_ns = 0;
    const auto close = [&] {
        const auto count = static_cast<uint32_t>(batch.flows_size());
        std::string frame;
        proto::append_frame({proto::FrameKind::batch, kProbeId, kEpoch, next_sequence, count},
                            octets_of(batch.SerializeAsString()),
                            frame);
        frames.push_back(std::move(frame));
        next_sequence += count;
        batch.clear_flows();
        octets = 0;
    };
    for (uint64_t i = 0; i < records; ++i) {
        std::string image = images[i % images.size()];
        make_another(reinterpret_cast<uint8_t*>(image.data()),
                     static_cast<uint32_t>(i / images.size()));
        probe::summarize(octets_of(image), set, summary);
        octets += summary.ByteSizeLong() + 4;
        first_ns = std::min(first_ns, summary.flow_start_ns());
        last_ns = std::max(last_ns, summary.flow_end_ns());
        *batch.add_flows() = summary;
        if (octets > kBatchOctets || batch.flows_size() == proto::kMaximumFrameRecords) {
            close();
        }
    }
    if (batch.flows_size() != 0) {
        close();
    }
    proto::ProbeLedger ledger;
    ledger.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    ledger.set_records_created(records);
    ledger.set_records_sent(records);
    ledger.set_final(true);
    ledger.set_first_packet_ns(first_ns);
    ledger.set_last_packet_ns(last_ns);
    std::string frame;
    proto::append_frame({proto::FrameKind::ledger, kProbeId, kEpoch, next_sequence, 0},
                        octets_of(ledger.SerializeAsString()),
                        frame);
    frames.push_back(std::move(frame));
    return frames;
}

}  // namespace curlew::tests

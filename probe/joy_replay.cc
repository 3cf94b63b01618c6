#include "probe/joy_replay.h"

#include <array>
#include <cassert>
#include <chrono>
#include <thread>

namespace curlew::probe {

namespace {

constexpr size_t kRingOctets = size_t{4} << 20;
constexpr uint64_t kBurstsPerTick = 1024;

}  // namespace

JoyReplay::JoyReplay(const JoyMeterConfig& config, Port& port)
    : port_(port),
      ring_(kRingOctets),
      meter_(config, [this](const proto::FlowSummary& summary) { hand_on(summary); }) {
    assert(!port.is_live());
}

void JoyReplay::run(const std::function<void(double)>& tick) {
    std::array<PacketView, kMaximumBurst> burst;
    for (uint64_t bursts = 1;; ++bursts) {
        const size_t count = port_.receive(burst);
        if (count == 0 && port_.state() != PortState::running) {
            break;
        }
        for (size_t i = 0; i < count; ++i) {
            meter_.add(burst[i]);
        }
        port_.release();
        if (tick && bursts % kBurstsPerTick == 0) {
            tick(port_.progress());
        }
    }
    meter_.finish();
}

void JoyReplay::hand_on(const proto::FlowSummary& summary) {
    const size_t octets = summary.ByteSizeLong();
    uint8_t* room = ring_.reserve(octets);
    while (room == nullptr) {
        std::this_thread::sleep_for(kFullRingPause);
        room = ring_.reserve(octets);
    }
    summary.SerializeWithCachedSizesToArray(room);
    ring_.commit(octets);
}

MeterLedger JoyReplay::ledger() const {
    const JoyMeterCounters& counters = meter_.counters();
    MeterLedger ledger;
    ledger.port = port_.counters();
    const LossIntervals losses = port_.losses();
    ledger.losses.assign(losses.begin(), losses.end());
    ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)] =
        counters.by_verdict[static_cast<size_t>(JoyVerdict::metered)];
    for (size_t i = 1; i < counters.by_verdict.size(); ++i) {
        ledger.not_metered.emplace_back(name_of(static_cast<JoyVerdict>(i)),
                                        counters.by_verdict[i]);
    }
    ledger.packets.octets_metered = counters.octets_metered;
    ledger.packets.first_packet_ns = counters.first_packet_ns;
    ledger.packets.last_packet_ns = counters.last_packet_ns;
    ledger.packets.by_note[0] = counters.packets_completed;
    static_assert(kNoteTruncated == 1 << 0);
    ledger.flows.packets = ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)];
    ledger.flows.flows_created = counters.flows_created;
    ledger.flows.records_created = counters.records_created;
    ledger.flows.records_by_reason = counters.records_by_reason;
    ledger.capture_warning = port_.fault();
    ledger.clock_ns = counters.last_packet_ns;
    return ledger;
}

}  // namespace curlew::probe

#include "cli/bench_port.h"

#include <algorithm>
#include <cstring>

namespace curlew::cli {

namespace {

constexpr uint64_t kBeginNs = 1'700'000'000'000'000'000;
// Bursts between two looks at the clock.
constexpr uint64_t kClockBursts = 64;
// Where an IPv4 source address stands behind an Ethernet header.
constexpr size_t kSourceAddressAt = 26;

}  // namespace

BenchPort::BenchPort(const BenchPackets& packets,
                     const BenchWorkload& workload,
                     const BenchPlan& plan)
    : packets_(packets), workload_(workload), plan_(plan), now_ns_(kBeginNs) {
    rounds_.reserve(static_cast<size_t>(plan.rounds));
    descriptors_.reserve(packets.order().size());
    for (const uint32_t frame : packets.order()) {
        descriptors_.push_back(packets.frames()[frame]);
    }
}

size_t BenchPort::receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept {
    if (bursts_++ % kClockBursts == 0) {
        look_at_clock();
    }
    if (state_ != probe::PortState::running) {
        return 0;
    }
    for (probe::PacketView& view : burst) {
        const BenchPackets::Frame& frame = descriptors_[next_];
        next_ = next_ + 1 == descriptors_.size() ? 0 : next_ + 1;
        uint8_t* octets = packets_.octets(frame);
        if (workload_.variation == FrameVariation::new_sender) {
            vary(octets);
        }
        now_ns_ += workload_.step_ns;
        view = {octets, now_ns_, frame.octets, frame.octets, frame.link};
        counters_.octets_offered += frame.octets;
    }
    counters_.packets_offered += burst.size();
    return burst.size();
}

// An odd factor gives each number of 32 bits its own address, and neighbours far ones.
void BenchPort::vary(uint8_t* frame) noexcept {
    const uint32_t address = static_cast<uint32_t>(varied_++) * 0x9e3779b1;
    std::memcpy(frame + kSourceAddressAt, &address, sizeof(address));
}

void BenchPort::look_at_clock() noexcept {
    const Clock::time_point now = Clock::now();
    if (!is_warm_) {
        is_warm_ = counters_.packets_offered >= plan_.warm_up_packets;
        round_from_ = counters_.packets_offered;
        round_begin_ = now;
        return;
    }
    const double seconds = std::chrono::duration<double>(now - round_begin_).count();
    if (seconds < plan_.round_seconds) {
        return;
    }
    const BenchRound round{counters_.packets_offered - round_from_, seconds};
    round_from_ = counters_.packets_offered;
    round_begin_ = now;
    if (rounds_.size() < static_cast<size_t>(plan_.rounds)) {
        rounds_.push_back(round);
        if (rounds_.size() < static_cast<size_t>(plan_.rounds)) {
            return;
        }
        if (plan_.stages != nullptr) {
            plan_.stages->start();
            return;
        }
    } else {
        plan_.stages->stop();
        stage_round_ = round;
    }
    state_ = probe::PortState::ended;
}

}  // namespace curlew::cli

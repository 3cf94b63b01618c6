#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/bench_packets.h"
#include "probe/port.h"
#include "probe/stage_clock.h"

namespace curlew::cli {

struct BenchRound {
    uint64_t packets = 0;
    double seconds = 0;
};

struct BenchPlan {
    uint64_t warm_up_packets = 0;
    int rounds = 0;
    double round_seconds = 0;
    probe::StageClock* stages = nullptr;  // null: none; else one more round, with it
};

// Hands out a pool's packets as fast as they are taken: first those that warm up, then rounds, each
// with its time. It keeps what is not fetched, as a capture does: nothing is lost.
class BenchPort final : public probe::Port {
  public:
    // Requires: both outlive this.
    BenchPort(const BenchPackets& packets, const BenchWorkload& workload, const BenchPlan& plan);

    const std::vector<BenchRound>& rounds() const noexcept { return rounds_; }
    // The one that plan.stages was on for.
    const BenchRound& stage_round() const noexcept { return stage_round_; }

    size_t receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept override;
    void release() noexcept override {}
    probe::PortState state() const noexcept override { return state_; }
    bool caught_up() const noexcept override { return false; }
    bool is_live() const noexcept override { return false; }
    uint64_t now_ns() const noexcept override { return now_ns_; }
    probe::PortCounters counters() const noexcept override { return counters_; }
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return -1; }

  private:
    using Clock = std::chrono::steady_clock;

    void look_at_clock() noexcept;
    void vary(uint8_t* frame) noexcept;

    const BenchPackets& packets_;
    const BenchWorkload& workload_;
    BenchPlan plan_;
    // As a device's: side by side, in the order in which the frames come.
    std::vector<BenchPackets::Frame> descriptors_;
    size_t next_ = 0;      // in descriptors_
    uint64_t varied_ = 0;  // frames so far
    uint64_t now_ns_;
    uint64_t bursts_ = 0;
    bool is_warm_ = false;
    uint64_t round_from_ = 0;  // packets offered when the round began
    Clock::time_point round_begin_;
    std::vector<BenchRound> rounds_;
    BenchRound stage_round_;
    probe::PortState state_ = probe::PortState::running;
    probe::PortCounters counters_;
    std::string fault_;
};

}  // namespace curlew::cli

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_packets.h"
#include "probe/port.h"
#include "probe/stage_clock.h"

// Ports that hand out a workload's packets as fast as they are taken: first those that warm up,
// then rounds, each with its time.

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

// What is common to both: rounds, packets' own times, what changes in a frame each time it comes.
class BenchPort : public probe::Port {
  public:
    // To be called first, and again after an end: goes on in the order where it stood.
    void begin(const BenchPlan& plan);

    const std::vector<BenchRound>& rounds() const noexcept { return rounds_; }
    // The one that plan.stages was on for.
    const BenchRound& stage_round() const noexcept { return stage_round_; }

    probe::PortState state() const noexcept override { return state_; }
    bool caught_up() const noexcept override { return false; }
    bool is_live() const noexcept override { return false; }
    uint64_t now_ns() const noexcept override { return now_ns_; }
    double progress() const noexcept override { return -1; }

  protected:
    // Requires: both outlive this. `keeps_frames`: what is changed in a frame is there yet when it
    // comes again.
    BenchPort(const BenchPackets& packets, const BenchWorkload& workload, bool keeps_frames);

    // Before each burst. False: the last round is over, or the port is.
    bool goes_on() noexcept;
    const BenchPackets::Frame& next_frame() const noexcept { return descriptors_[next_]; }
    // The next frame's octets become those of this time that it comes, which is returned.
    uint64_t play(uint8_t* octets) noexcept;
    void prefetch(size_t frames) const noexcept;
    void count(uint64_t packets) noexcept { packets_played_ += packets; }
    void break_off() noexcept { state_ = probe::PortState::broken; }

    const BenchPackets& packets_;

  private:
    using Clock = std::chrono::steady_clock;

    void look_at_clock() noexcept;
    void begin_turn() noexcept;
    uint32_t client_mask(uint64_t turn) const noexcept;

    const BenchWorkload& workload_;
    bool keeps_frames_;
    BenchPlan plan_;
    // As a device's: side by side, in the order in which the frames come.
    std::vector<BenchPackets::Frame> descriptors_;
    size_t next_ = 0;      // in descriptors_
    uint64_t turn_ = 0;    // how often all frames have come
    uint64_t varied_ = 0;  // frames so far
    // What is to be changed in the addresses of a client's frames, and of those that are a turn
    // ahead.
    std::array<uint32_t, 2> masks_{};
    uint64_t now_ns_;
    uint64_t bursts_ = 0;
    uint64_t packets_played_ = 0;
    bool is_warm_ = false;
    uint64_t round_from_ = 0;  // packets played when the round began
    Clock::time_point round_begin_;
    std::vector<BenchRound> rounds_;
    BenchRound stage_round_;
    probe::PortState state_ = probe::PortState::running;
};

// Out of the pool's memory. It keeps what is not fetched, as a capture does: nothing is lost.
class MemoryPort final : public BenchPort {
  public:
    MemoryPort(const BenchPackets& packets, const BenchWorkload& workload)
        : BenchPort(packets, workload, true) {}

    size_t receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept override;
    void release() noexcept override {}
    probe::PortCounters counters() const noexcept override { return counters_; }
    const std::string& fault() const noexcept override { return fault_; }

  private:
    probe::PortCounters counters_;
    std::string fault_;
};

// Over a device that plays the pool's file again and again, each packet a copy of its own: what
// the device is waits for nobody in time, so that packets are waited for and none is lost.
class DevicePort final : public BenchPort {
  public:
    DevicePort(const BenchPackets& packets,
               const BenchWorkload& workload,
               std::shared_ptr<probe::Port> device)
        : BenchPort(packets, workload, false), device_(std::move(device)) {}

    size_t receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept override;
    void release() noexcept override { device_->release(); }
    probe::PortCounters counters() const noexcept override { return device_->counters(); }
    const std::string& fault() const noexcept override { return device_->fault(); }

  private:
    std::shared_ptr<probe::Port> device_;
};

}  // namespace curlew::cli

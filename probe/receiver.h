#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "probe/arrival_clock.h"
#include "probe/counters.h"
#include "probe/fragment_table.h"
#include "probe/keyed_hash.h"
#include "probe/loss_intervals.h"
#include "probe/packet_lane.h"
#include "probe/packet_parser.h"
#include "probe/port.h"
#include "probe/thread_placement.h"
#include "probe/worker.h"

// One port's thread: receive, parse, join fragments, hash, and on to a worker: its own in the same
// thread, or one of several over lanes.

namespace curlew::probe {

struct ReceiverConfig {
    ParserConfig parser;
    KeyedHash::Key hash_key{};
    uint32_t idle_sleep_us = 50;
    uint16_t queue = 0;            // the port, among all ports
    StageClock* stages = nullptr;  // of this thread, its worker's too; null: none
};

// What a receiver has counted, consistent in itself.
struct ReceiverCounters {
    PortCounters port;
    PacketCounters packets;
    FragmentCounters fragments;
    FlowCounters flows;  // of its own worker
    LossIntervals losses;
    ClockSteps clock_steps;
    PortState state = PortState::running;
};

class Receiver {
  public:
    // Meters in its own thread. Requires: all outlive this.
    Receiver(const ReceiverConfig& config, Port& port, const KeyedHash& hash, Worker& worker);
    // Hands over to lanes[partition % lanes].
    Receiver(const ReceiverConfig& config,
             Port& port,
             const KeyedHash& hash,
             std::vector<PacketLane*> lanes);

    // Until the port ended or broke, or `stop` holds and a live port was emptied of what came
    // before that. Its own worker's flows are ended then. `tick` is called now and then with the
    // port's progress.
    void run(const std::atomic<bool>& stop, const std::function<void(double)>& tick);

    // These: any thread.
    const ReceiverProgress& progress() const noexcept { return progress_; }
    ReceiverCounters counters() const;
    uint64_t packets_received() const noexcept { return received_.load(std::memory_order_relaxed); }
    uint64_t polls() const noexcept { return polls_.load(std::memory_order_relaxed); }
    const Port& port() const noexcept { return port_; }

  private:
    // Whether a live port that is to stop has given what the line had brought before that.
    bool is_emptied(bool caught_up) noexcept;
    void receive_burst(std::span<const PacketView> burst) noexcept;
    void meter(std::span<const ParsedPacket> packets, std::span<const uint64_t> hashes) noexcept;
    void hand_over(const ParsedPacket& packet, uint64_t hash) noexcept;
    void count(const ParsedPacket& packet) noexcept;
    void pass_on_progress(bool caught_up) noexcept;
    void publish_if_due() noexcept;
    void publish() noexcept;
    void note_losses(const PortCounters& now) noexcept;

    ReceiverConfig config_;
    Port& port_;
    const KeyedHash& hash_;
    Worker* worker_ = nullptr;
    std::vector<PacketLane*> lanes_;
    const bool is_live_;
    // Of the burst at hand: made once, for each field of a packet is set by the parser.
    std::array<ParsedPacket, kMaximumBurst> parsed_;
    std::array<uint64_t, kMaximumBurst> hashes_{};
    FragmentTable fragments_;
    ArrivalClock clock_;
    PacketCounters packets_;
    LossIntervals losses_;
    PortCounters port_looked_;        // as of the last look for losses
    uint64_t hand_over_looked_ = 0;   // likewise
    uint64_t looked_at_ns_ = 0;       // by the packets' clock; 0: never
    uint64_t passed_ns_ = 0;          // as progress_.handed_over_ns, also within a burst
    std::atomic<uint64_t> polls_{0};  // written by run()
    uint64_t published_at_ = 0;       // steady clock, ns
    uint64_t stop_seen_at_ = 0;       // likewise; 0: not yet
    uint64_t busy_at_ = 0;            // likewise: when something came last, since then
    uint64_t stop_clock_ns_ = 0;      // the port's clock then

    ReceiverProgress progress_;
    std::atomic<uint64_t> received_{0};  // written by run()
    mutable std::mutex published_mutex_;
    ReceiverCounters published_;  // under the mutex
};

}  // namespace curlew::probe

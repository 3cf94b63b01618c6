#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/keyed_hash.h"
#include "probe/meter_ledger.h"
#include "probe/packet_lane.h"
#include "probe/packet_parser.h"
#include "probe/port.h"
#include "probe/receiver.h"
#include "probe/worker.h"

// From ports to workers: parse, join fragments, hash, hand over. Both directions of a flow meet on
// one worker, in one of three ways:
//
//   inline    one port, one worker: all in one thread
//   apart     `ports_keep_flows`: each port's thread has a worker, and a table, of its own
//   pipeline  else: a thread for each port, a thread for each worker, and between each two a ring
//             of packets copied for it, for a port's packets die with their burst. A worker takes
//             packets in order of time over its rings, so that records do not depend on how the
//             line was split over ports. The worker is chosen by the hash of the direction-free
//             key.
//
// On a live port nothing waits: what does not fit a ring is lost, and counted. On captures
// everything waits.

namespace curlew::probe {

struct DispatcherConfig {
    ParserConfig parser;
    WorkerConfig worker;  // with a StageClock only where one thread does all
    size_t workers = 1;   // 1 to kPartitions; not looked at with ports_keep_flows
    // Each port shows both directions of all its flows, as the queues of a device do that spreads
    // them by a symmetric hash.
    bool ports_keep_flows = false;
    KeyedHash::Key hash_key{};  // secret on a live port
    // Of each pair of port and worker. A power of two, at least four times the longest packet.
    size_t packet_ring_octets = size_t{8} << 20;
    // Cores for the ports' threads, then for the workers'; fewer than threads: the rest is not
    // pinned.
    std::vector<int> cores;
    // How long a thread sleeps that finds nothing many times in a row; 0: it never sleeps.
    uint32_t idle_sleep_us = 50;
};

class Dispatcher {
  public:
    // Throws std::runtime_error. Requires: at least one port; ports and inspector outlive this;
    // ports are all live or all captures.
    Dispatcher(const DispatcherConfig& config,
               const std::vector<Port*>& ports,
               const Inspector& inspector);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    // Meters until every port ended or broke, or stop() was called; then ends every flow and joins
    // the threads. `tick` is called now and then with the first port's progress, from this thread,
    // which is the first port's. Call once. Throws std::runtime_error when threads cannot be
    // started, and what `tick` throws; all threads are joined then too.
    void run(const std::function<void(double)>& tick);

    // Any thread, also a signal handler: no port is received from any more.
    void stop() noexcept;

    // The workers' rings of RecordImage, to be emptied by one other thread while run() is at work.
    std::vector<ByteRing*> record_rings();

    // The workers' lanes of packets to be recorded, likewise; none when nothing is.
    std::vector<RecordingLane*> recording_lanes();

    // Any thread, any time: what each port has counted.
    std::vector<PortCounters> port_counters() const;

    // After run(): when the input ended, by which the last flows did.
    uint64_t end_of_input() const;

    // Any thread, any time: as of a fraction of a second ago; exact after run().
    MeterLedger ledger() const;

    // Any thread: packets handed out by all ports so far. A line is quiet while it stands still.
    uint64_t packets_received() const noexcept;

    // Any thread: how often each thread went round, the ports' before the workers', and how often
    // each port was found empty. kEnded for a thread that is at its end.
    static constexpr uint64_t kEnded = ~uint64_t{0};
    std::vector<uint64_t> rounds() const;
    std::vector<uint64_t> empty_polls() const;

    // Any thread: how a port fares. Not `running` any more: its fault says why, if it broke.
    PortState port_state(size_t port) const noexcept;

  private:
    // A worker's thread in a pipeline, what it reads and what it tells.
    struct Station {
        Worker* worker;
        PacketMerger merger;
        mutable std::mutex published_mutex;
        FlowCounters published;           // under the mutex
        std::atomic<uint64_t> rounds{0};  // written by the thread
        std::thread thread;
    };

    ReceiverConfig receiver_config(size_t port) const;
    void make_workers(const Inspector& inspector);
    void make_pipeline();
    void start_threads();
    void join_threads();
    void work(Station& station, size_t index) noexcept;
    void receive(size_t port, const std::function<void(double)>& tick);
    void pin(size_t thread) const noexcept;
    bool all_receivers_ended() const noexcept;
    uint64_t common_clock() const noexcept;
    uint64_t swept_ns() const noexcept;

    DispatcherConfig config_;
    std::vector<Port*> ports_;
    KeyedHash hash_;
    bool is_live_;
    std::atomic<bool> stop_{false};  // written by stop(), read by the receivers
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<PacketLane>> lanes_;  // of receiver r and worker w: r * W + w
    std::vector<std::unique_ptr<Receiver>> receivers_;
    std::vector<std::unique_ptr<Station>> stations_;  // empty but in a pipeline
    std::vector<std::thread> receiver_threads_;       // of the second port and on
};

}  // namespace curlew::probe

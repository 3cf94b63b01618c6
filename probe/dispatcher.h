#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/counters.h"
#include "probe/fragment_table.h"
#include "probe/keyed_hash.h"
#include "probe/packet_parser.h"
#include "probe/port.h"
#include "probe/worker.h"

// From one port to the workers: parse, join fragments, hash, hand over. With one worker everything
// runs in the caller's thread; with more, each worker has a thread and a ring of packets copied
// for it, because a port's packets die with their burst. Both directions of a flow meet on one
// worker, since the hash is that of the direction-free key.

namespace curlew::probe {

struct DispatcherConfig {
    ParserConfig parser;
    WorkerConfig worker;
    size_t workers = 1;         // 1 to kPartitions
    KeyedHash::Key hash_key{};  // secret on a live port
    // Per worker, when there are several. A power of two, at least four times the longest packet.
    size_t packet_ring_octets = size_t{8} << 20;
};

class Dispatcher {
  public:
    // Starts the workers' threads. Throws std::runtime_error. Requires: inspector outlives this.
    Dispatcher(const DispatcherConfig& config, const Inspector& inspector);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    // Meters the port until it ended or broke, then ends every flow and joins the workers. `tick`
    // is called now and then with the port's progress. Call once.
    void run(Port& port, const std::function<void(double)>& tick);

    // The workers' rings of RecordImage, to be emptied by one other thread while run() is at work.
    std::vector<ByteRing*> record_rings();

    // After run().
    const PacketCounters& packet_counters() const noexcept { return packets_; }
    const FragmentTable& fragments() const noexcept { return fragments_; }
    FlowCounters flow_counters() const noexcept;

  private:
    // A worker's thread and the ring that feeds it.
    struct Lane {
        explicit Lane(size_t ring_octets) : ring(ring_octets) {}
        ~Lane();
        Lane(const Lane&) = delete;
        Lane& operator=(const Lane&) = delete;

        ByteRing ring;
        std::atomic<bool> finished{false};  // written by the dispatcher, read by the lane
        uint64_t end_ns = 0;                // written before finished
        uint8_t* batch = nullptr;           // reserved room, the dispatcher's
        size_t batch_room = 0;
        size_t batch_octets = 0;
        size_t batch_packets = 0;
        std::thread thread;
    };

    void meter_burst(std::span<const PacketView> burst) noexcept;
    void hand_over(size_t lane, const ParsedPacket& packet, uint64_t hash) noexcept;
    void flush(Lane& lane) noexcept;
    static void work(Lane& lane, Worker& worker) noexcept;

    DispatcherConfig config_;
    KeyedHash hash_;
    FragmentTable fragments_;
    PacketCounters packets_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<Lane>> lanes_;  // empty with one worker
};

}  // namespace curlew::probe

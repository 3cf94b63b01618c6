#include "probe/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace curlew::probe {

namespace {

// Room reserved for a batch of packets at once; a longer packet gets a batch of its own.
constexpr size_t kBatchOctets = 128 * 1024;
// Bursts between two calls of tick.
constexpr uint64_t kTickBursts = 1024;
constexpr std::chrono::microseconds kPause{50};

// A packet in a lane's ring: this, then the captured octets from the link header on.
struct HandedPacket {
    ParsedPacket parsed;
    uint64_t hash;
    uint32_t captured_octets;
    uint32_t message_octets;  // this and the captured octets, rounded up to 16
};

size_t captured_from_frame(const ParsedPacket& packet) noexcept {
    return static_cast<size_t>(packet.ip - packet.frame) + packet.ip_captured_octets;
}

// The same packet with its octets at `frame`.
void rebase(ParsedPacket& packet, const uint8_t* frame) noexcept {
    const auto moved = [&](const uint8_t* pointer) {
        return pointer == nullptr ? nullptr : frame + (pointer - packet.frame);
    };
    packet.ip = moved(packet.ip);
    packet.transport = moved(packet.transport);
    packet.payload = moved(packet.payload);
    packet.frame = frame;
}

}  // namespace

Dispatcher::Dispatcher(const DispatcherConfig& config, const Inspector& inspector)
    : config_(config), hash_(config.hash_key), fragments_(FragmentTableConfig{}, config.hash_key) {
    assert(config.workers >= 1);
    assert(config.workers <= kPartitions);
    for (size_t i = 0; i < config.workers; ++i) {
        workers_.push_back(
            std::make_unique<Worker>(config.worker, i, config.workers, inspector, hash_));
    }
    if (config.workers == 1) {
        return;
    }
    for (size_t i = 0; i < config.workers; ++i) {
        lanes_.push_back(std::make_unique<Lane>(config.packet_ring_octets));
    }
    try {
        for (size_t i = 0; i < config.workers; ++i) {
            lanes_[i]->thread = std::thread(
                [lane = lanes_[i].get(), worker = workers_[i].get()] { work(*lane, *worker); });
        }
    } catch (const std::system_error& error) {
        throw std::runtime_error(
            fmt::format("cannot start {} workers: {}", config.workers, error.what()));
    }
}

Dispatcher::~Dispatcher() = default;

Dispatcher::Lane::~Lane() {
    if (thread.joinable()) {
        finished.store(true, std::memory_order_release);
        thread.join();
    }
}

std::vector<ByteRing*> Dispatcher::record_rings() {
    std::vector<ByteRing*> rings;
    for (const auto& worker : workers_) {
        rings.push_back(&worker->records());
    }
    return rings;
}

FlowCounters Dispatcher::flow_counters() const noexcept {
    FlowCounters sum;
    for (const auto& worker : workers_) {
        sum.add(worker->counters());
    }
    return sum;
}

void Dispatcher::run(Port& port, const std::function<void(double)>& tick) {
    std::array<PacketView, kMaximumBurst> burst;
    uint64_t bursts = 0;
    while (true) {
        const size_t count = port.receive(burst);
        if (count == 0 && port.state() != PortState::running) {
            break;
        }
        meter_burst({burst.data(), count});
        port.release();
        if (tick && ++bursts % kTickBursts == 0) {
            tick(port.progress());
        }
    }
    if (lanes_.empty()) {
        workers_.front()->finish(packets_.last_packet_ns);
        return;
    }
    for (const auto& lane : lanes_) {
        flush(*lane);
        lane->end_ns = packets_.last_packet_ns;
        lane->finished.store(true, std::memory_order_release);
    }
    for (const auto& lane : lanes_) {
        lane->thread.join();
    }
}

void Dispatcher::meter_burst(std::span<const PacketView> burst) noexcept {
    std::array<ParsedPacket, kMaximumBurst> parsed;
    std::array<uint64_t, kMaximumBurst> hashes;
    size_t count = 0;
    for (const PacketView& view : burst) {
        ParsedPacket& packet = parsed[count];
        const ParseResult result = parse_packet(view, config_.parser, packet);
        ++packets_.by_result[static_cast<size_t>(result)];
        packets_.first_packet_ns = std::min(packets_.first_packet_ns, view.time_ns);
        packets_.last_packet_ns = std::max(packets_.last_packet_ns, view.time_ns);
        if (result != ParseResult::metered) {
            continue;
        }
        packets_.octets_metered += packet.octets;
        if (packet.notes != 0) {
            for (int bit = 0; bit < kPacketNoteCount; ++bit) {
                packets_.by_note[static_cast<size_t>(bit)] += (packet.notes >> bit) & 1u;
            }
            if ((packet.notes & kNoteFragment) != 0) {
                fragments_.resolve(packet);
            }
        }
        hashes[count] = hash_(packet.key);
        ++count;
    }
    if (lanes_.empty()) {
        workers_.front()->process({parsed.data(), count}, {hashes.data(), count});
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        hand_over(partition_of(hashes[i]) % lanes_.size(), parsed[i], hashes[i]);
    }
}

void Dispatcher::hand_over(size_t index, const ParsedPacket& packet, uint64_t hash) noexcept {
    Lane& lane = *lanes_[index];
    const size_t captured = captured_from_frame(packet);
    const size_t need = (sizeof(HandedPacket) + captured + 15) & ~size_t{15};
    if (lane.batch != nullptr &&
        (lane.batch_octets + need > lane.batch_room || lane.batch_packets == kMaximumBurst)) {
        flush(lane);
    }
    if (lane.batch == nullptr) {
        lane.batch_room = std::max(need, kBatchOctets);
        while ((lane.batch = lane.ring.reserve(lane.batch_room)) == nullptr) {
            std::this_thread::sleep_for(kPause);
        }
    }
    HandedPacket handed{packet, hash, static_cast<uint32_t>(captured), static_cast<uint32_t>(need)};
    uint8_t* at = lane.batch + lane.batch_octets;
    std::memcpy(at, &handed, sizeof(handed));
    std::memcpy(at + sizeof(handed), packet.frame, captured);
    lane.batch_octets += need;
    ++lane.batch_packets;
}

void Dispatcher::flush(Lane& lane) noexcept {
    if (lane.batch == nullptr) {
        return;
    }
    lane.ring.commit(lane.batch_octets);
    lane.batch = nullptr;
    lane.batch_octets = 0;
    lane.batch_packets = 0;
}

void Dispatcher::work(Lane& lane, Worker& worker) noexcept {
    std::array<ParsedPacket, kMaximumBurst> packets;
    std::array<uint64_t, kMaximumBurst> hashes;
    while (true) {
        // Asked before looking: what was handed over before the end is then seen.
        const bool finished = lane.finished.load(std::memory_order_acquire);
        std::span<const uint8_t> batch = lane.ring.front();
        if (batch.empty()) {
            if (finished) {
                break;
            }
            std::this_thread::sleep_for(kPause);
            continue;
        }
        size_t count = 0;
        while (!batch.empty()) {
            HandedPacket handed;
            std::memcpy(&handed, batch.data(), sizeof(handed));
            packets[count] = handed.parsed;
            hashes[count] = handed.hash;
            rebase(packets[count], batch.data() + sizeof(handed));
            ++count;
            batch = batch.subspan(handed.message_octets);
        }
        worker.process({packets.data(), count}, {hashes.data(), count});
        lane.ring.pop();
    }
    worker.finish(lane.end_ns);
}

}  // namespace curlew::probe

// Hot path.
#include "probe/packet_lane.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace curlew::probe {

namespace {

// Room reserved for a batch of packets at once; a longer packet gets a batch of its own.
constexpr size_t kBatchOctets = 128 * 1024;

// A packet in a ring: this, then the captured octets from the link header on.
struct HandedPacket {
    ParsedPacket parsed;
    uint64_t hash;
    uint32_t message_octets;  // this and the captured octets, rounded up to 16
};

// The same packet with its octets at `frame`.
void rebase(ParsedPacket& packet, const uint8_t* frame) noexcept {
    const auto moved = [&](const uint8_t* pointer) {
        return pointer == nullptr ? nullptr : frame + (pointer - packet.frame);
    };
    packet.source_mac = moved(packet.source_mac);
    packet.destination_mac = moved(packet.destination_mac);
    packet.ip = moved(packet.ip);
    packet.transport = moved(packet.transport);
    packet.payload = moved(packet.payload);
    packet.frame = frame;
}

uint64_t time_of_first(std::span<const uint8_t> batch) noexcept {
    uint64_t time_ns = 0;
    std::memcpy(&time_ns,
                batch.data() + offsetof(HandedPacket, parsed) + offsetof(ParsedPacket, time_ns),
                sizeof(time_ns));
    return time_ns;
}

}  // namespace

PacketLane::PacketLane(size_t ring_octets) : ring_(ring_octets) {
    assert(ring_.longest_message() >= kMaximumPacketOctets + sizeof(HandedPacket));
    assert(ring_.longest_message() >= kBatchOctets);
}

bool PacketLane::add(const ParsedPacket& packet, uint64_t hash) noexcept {
    const size_t need = (sizeof(HandedPacket) + packet.captured_octets + 15) & ~size_t{15};
    if (batch_ != nullptr && (octets_ + need > room_ || packets_ == kMaximumBurst)) {
        flush();
    }
    if (batch_ == nullptr) {
        room_ = std::max(need, kBatchOctets);
        batch_ = ring_.reserve(room_);
        if (batch_ == nullptr) {
            return false;
        }
    }
    const HandedPacket handed{packet, hash, static_cast<uint32_t>(need)};
    uint8_t* at = batch_ + octets_;
    std::memcpy(at, &handed, sizeof(handed));
    std::memcpy(at + sizeof(handed), packet.frame, packet.captured_octets);
    octets_ += need;
    ++packets_;
    return true;
}

void PacketLane::flush() noexcept {
    if (batch_ == nullptr) {
        return;
    }
    if (octets_ != 0) {
        ring_.commit(octets_);
    }
    batch_ = nullptr;
    octets_ = 0;
    packets_ = 0;
}

PacketMerger::PacketMerger(const std::vector<Source>& sources) {
    assert(!sources.empty());
    for (const Source& source : sources) {
        inlets_.push_back({source.ring, source.progress, {}});
    }
}

// True when the inlet shows a packet.
bool PacketMerger::look(Inlet& inlet) noexcept {
    if (inlet.rest.empty() && !inlet.holds_batch) {
        inlet.rest = inlet.ring->front();
        inlet.holds_batch = !inlet.rest.empty();
    }
    return !inlet.rest.empty();
}

bool PacketMerger::holds_packets() noexcept {
    return std::any_of(
        inlets_.begin(), inlets_.end(), [this](Inlet& inlet) { return look(inlet); });
}

bool PacketMerger::has_passed(Inlet& inlet, uint64_t time_ns) noexcept {
    const ReceiverProgress& progress = *inlet.progress;
    if (progress.handed_over_ns.load(std::memory_order_acquire) >= time_ns ||
        progress.ended.load(std::memory_order_acquire)) {
        return true;
    }
    const uint64_t empty_polls = progress.empty_polls.load(std::memory_order_acquire);
    if (inlet.waited_for_ns != time_ns) {
        inlet.waited_for_ns = time_ns;
        inlet.empty_polls_at_wait = empty_polls;
        return false;
    }
    // The first of two may have begun before the wait.
    return empty_polls - inlet.empty_polls_at_wait >= 2;
}

void PacketMerger::take(Inlet& inlet) noexcept {
    HandedPacket handed;
    std::memcpy(&handed, inlet.rest.data(), sizeof(handed));
    packets_[count_] = handed.parsed;
    hashes_[count_] = handed.hash;
    rebase(packets_[count_], inlet.rest.data() + sizeof(handed));
    ++count_;
    inlet.rest = inlet.rest.subspan(handed.message_octets);
}

PacketMerger::Inlet* PacketMerger::earliest() noexcept {
    Inlet* found = nullptr;
    for (Inlet& inlet : inlets_) {
        if (look(inlet)) {
            if (found == nullptr || time_of_first(inlet.rest) < time_of_first(found->rest)) {
                found = &inlet;
            }
        } else if (inlet.holds_batch) {
            // What follows a used-up batch is seen only when that was given back.
            return nullptr;
        }
    }
    return found;
}

PacketMerger::Others PacketMerger::others(uint64_t time_ns) noexcept {
    for (Inlet& inlet : inlets_) {
        if (!inlet.rest.empty()) {
            continue;
        }
        if (!has_passed(inlet, time_ns)) {
            return Others::awaited;
        }
        // Looked at after it had passed: what it handed over before that is seen now.
        if (look(inlet)) {
            return Others::arrived;
        }
    }
    return Others::passed;
}

PacketMerger::Burst PacketMerger::gather() noexcept {
    assert(count_ == 0);
    while (count_ < kMaximumBurst) {
        Inlet* inlet = earliest();
        if (inlet == nullptr) {
            break;
        }
        const Others rest = others(time_of_first(inlet->rest));
        if (rest == Others::awaited) {
            break;
        }
        if (rest == Others::passed) {
            take(*inlet);
        }
    }
    return {{packets_.data(), count_}, {hashes_.data(), count_}};
}

void PacketMerger::release() noexcept {
    count_ = 0;
    for (Inlet& inlet : inlets_) {
        if (inlet.holds_batch && inlet.rest.empty()) {
            inlet.ring->pop();
            inlet.holds_batch = false;
        }
    }
}

}  // namespace curlew::probe

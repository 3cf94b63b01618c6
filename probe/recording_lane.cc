// Hot path.
#include "probe/recording_lane.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <thread>

#include "probe/inspector.h"

namespace curlew::probe {

namespace {

// Room reserved for the packets of a burst at once; a longer packet gets a message of its own.
constexpr size_t kRecordingBatchOctets = 128 * 1024;

// A flow that has sent no payload within so many packets is of no protocol.
constexpr uint32_t kUndecidedPackets = 64;

bool is_wanted_flow(const std::vector<uint8_t>& signatures,
                    const FlowHot& hot,
                    const FlowWarm& warm) noexcept {
    for (size_t i = 0; i < warm.hit_count; ++i) {
        if (signatures[warm.hits[i].signature] != 0) {
            return true;
        }
    }
    return warm.hit_count == 0 && is_scanned_protocol(hot.key.protocol) &&
           (hot.packets[0] + hot.packets[1] <= kUndecidedPackets ||
            warm.inspected[0] + warm.inspected[1] != 0) &&
           warm.inspected[0] < kScannedPackets && warm.inspected[1] < kScannedPackets;
}

void add(std::atomic<uint64_t>& counter, uint64_t count) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

}  // namespace

RecordingLane::RecordingLane(const RecordingLaneConfig& config)
    : config_(config), ring_(config.ring_octets), lost_before_(config.queues) {
    assert(ring_.longest_message() >= kMaximumPacketOctets + sizeof(RecordedPacket) + 8);
}

bool RecordingLane::is_chosen(const ParsedPacket& packet,
                              const FlowHot& hot,
                              const FlowWarm& warm) const noexcept {
    const RecordingChoice& choice = config_.choice;
    if (choice.octets_per_flow != 0 &&
        hot.octets[0] + hot.octets[1] - packet.octets >= choice.octets_per_flow) {
        return false;
    }
    if (!choice.signatures.empty() && !is_wanted_flow(choice.signatures, hot, warm)) {
        return false;
    }
    return choice.filter.instructions.empty() ||
           choice.filter.matches(choice.filter.instructions,
                                 {.data = packet.frame,
                                  .time_ns = packet.time_ns,
                                  .captured_octets = packet.captured_octets,
                                  .wire_octets = packet.wire_octets});
}

bool RecordingLane::make_room(size_t octets) noexcept {
    if (batch_ != nullptr && octets_ + octets > room_) {
        flush();
    }
    if (batch_ == nullptr) {
        room_ = std::max(octets, kRecordingBatchOctets);
        batch_ = ring_.reserve(room_);
    }
    return batch_ != nullptr;
}

void RecordingLane::offer(const ParsedPacket& packet,
                          const FlowHot& hot,
                          const FlowWarm& warm) noexcept {
    if (!is_chosen(packet, hot, warm)) {
        add(not_chosen_, 1);
        return;
    }
    assert(packet.queue < lost_before_.size());
    uint32_t& lost_before = lost_before_[packet.queue];
    const RecordedPacket recorded{.time_ns = packet.time_ns,
                                  .captured_octets = packet.captured_octets,
                                  .wire_octets = packet.wire_octets,
                                  .lost_before = lost_before,
                                  .queue = packet.queue,
                                  .reserved = 0};
    while (!make_room(recorded.message_octets())) {
        if (!config_.wait_for_ring) {
            ++lost_before;
            add(lost_, 1);
            return;
        }
        std::this_thread::sleep_for(kFullRingPause);
    }
    lost_before = 0;
    std::memcpy(batch_ + octets_, &recorded, sizeof(recorded));
    std::memcpy(batch_ + octets_ + sizeof(recorded), packet.frame, packet.captured_octets);
    octets_ += recorded.message_octets();
}

void RecordingLane::flush() noexcept {
    if (batch_ != nullptr && octets_ != 0) {
        ring_.commit(octets_);
    }
    batch_ = nullptr;
    octets_ = 0;
}

}  // namespace curlew::probe

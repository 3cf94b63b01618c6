#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/flow.h"
#include "probe/packet_parser.h"
#include "probe/port.h"

// Metered packets on their way from a worker to the thread that records them (recorder.h), chosen
// and copied. On a live line a full ring loses a packet of the recording, counted; what was metered
// stays metered.

namespace curlew::probe {

// Which metered packets are recorded: those that all of these want.
struct RecordingChoice {
    PortFilter filter;  // of what the port handed out
    // By signature, 1: a flow that it recognised is wanted; empty: every flow is. A flow's packets
    // are wanted until it is recognised, or a side's first kScannedPackets payloads were not.
    std::vector<uint8_t> signatures;
    // A packet is wanted whose record had fewer IP octets before, both directions together; 0: any.
    uint64_t octets_per_flow = 0;
};

struct RecordingLaneConfig {
    size_t ring_octets = 0;  // a power of two, at least 2 MiB; 0: nothing is recorded
    RecordingChoice choice;
    size_t queues = 1;           // packets have lower numbers
    bool wait_for_ring = false;  // a full ring makes the worker wait, as on captures
};

// A packet in the ring, followed by its captured octets.
struct RecordedPacket {
    uint64_t time_ns;
    uint32_t captured_octets;
    uint32_t wire_octets;
    uint32_t lost_before;  // of its queue, for want of room, since the packet before
    uint16_t queue;
    uint16_t reserved;

    // With its octets, in a message.
    size_t message_octets() const noexcept {
        return (sizeof(RecordedPacket) + captured_octets + 7) & ~size_t{7};
    }
};
static_assert(sizeof(RecordedPacket) == 24);

class RecordingLane {
  public:
    explicit RecordingLane(const RecordingLaneConfig& config);

    // The worker's: records a packet that has just been metered into this flow, when it is wanted.
    void offer(const ParsedPacket& packet, const FlowHot& hot, const FlowWarm& warm) noexcept;

    // The worker's: hands over what was offered.
    void flush() noexcept;

    // Of messages of packets one after the other; to be emptied by one other thread.
    ByteRing& ring() noexcept { return ring_; }

    // Any thread.
    uint64_t packets_not_chosen() const noexcept {
        return not_chosen_.load(std::memory_order_relaxed);
    }
    uint64_t packets_lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

  private:
    bool is_chosen(const ParsedPacket& packet,
                   const FlowHot& hot,
                   const FlowWarm& warm) const noexcept;
    bool make_room(size_t octets) noexcept;

    RecordingLaneConfig config_;
    ByteRing ring_;
    uint8_t* batch_ = nullptr;  // reserved room
    size_t room_ = 0;
    size_t octets_ = 0;
    std::vector<uint32_t> lost_before_;    // by queue
    std::atomic<uint64_t> not_chosen_{0};  // written by the worker
    std::atomic<uint64_t> lost_{0};        // likewise
};

}  // namespace curlew::probe

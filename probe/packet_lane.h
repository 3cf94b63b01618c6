#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/packet_parser.h"
#include "probe/port.h"

// Packets on their way from a receiver to a worker, copied, because a port's packets die with their
// burst; and the order in which a worker takes them from several receivers.

namespace curlew::probe {

// What a receiver tells the workers. Written by its thread, read by theirs.
struct ReceiverProgress {
    // Every packet up to this time was handed over, as far as the port's stamps ascend and a live
    // port's clock is theirs. The largest number: all there are.
    std::atomic<uint64_t> handed_over_ns{0};
    // Polls that found nothing at the port, counted when they end.
    std::atomic<uint64_t> empty_polls{0};
    std::atomic<bool> ended{false};  // nothing is handed over any more
    // A live port's clock, and what a worker may count on: it has passed on every receiver. When
    // that has ended, the time at which the input did.
    std::atomic<uint64_t> clock_ns{0};
};

// The receiver's end of one lane.
class PacketLane {
  public:
    // Requires: a power of two, at least four times the longest packet and its header.
    explicit PacketLane(size_t ring_octets);

    // Copies the packet into the batch that is being filled. False when the ring is full; batches
    // filled so far are handed over then.
    bool add(const ParsedPacket& packet, uint64_t hash) noexcept;

    // Hands the batch over.
    void flush() noexcept;

    ByteRing& ring() noexcept { return ring_; }

  private:
    ByteRing ring_;
    uint8_t* batch_ = nullptr;  // reserved room
    size_t room_ = 0;
    size_t octets_ = 0;
    size_t packets_ = 0;
};

// The worker's end of its lanes: packets of all receivers in order of their times, so that records
// do not depend on how a line was split over ports. One thread calls everything.
//
// The earliest packet at hand, at time t, is taken when each receiver that shows nothing here
// cannot bring an earlier one: it has ended; it has handed over everything up to t, or found its
// port empty when the port's clock had passed t; or it has polled its port once from beginning to
// end since then and found nothing. (The last is slow, and for stamps that are ahead of the clock.)
//
// A receiver that waits for room, as on captures, cannot stop this for ever. Suppose receiver A
// waits at worker 1 and B at worker 2, worker 1 wants B to pass t1 and worker 2 wants A to pass t2.
// What lies in a full ring was handed over, so t1 <= passed(A) < t2 <= passed(B) < t1: impossible,
// and so for any longer circle. Packets stamped out of order only raise what is passed.
class PacketMerger {
  public:
    struct Source {
        ByteRing* ring;
        const ReceiverProgress* progress;
    };
    explicit PacketMerger(const std::vector<Source>& sources);

    struct Burst {
        std::span<const ParsedPacket> packets;
        std::span<const uint64_t> hashes;
    };

    // The next packets, at most kMaximumBurst; empty when none may be taken now. Good until
    // release().
    Burst gather() noexcept;

    // Gives the room of what was gathered back.
    void release() noexcept;

    // Whether there are packets that may not be taken yet: time is not past them.
    bool holds_packets() noexcept;

  private:
    struct Inlet {
        ByteRing* ring;
        const ReceiverProgress* progress;
        std::span<const uint8_t> rest;     // of its oldest batch
        bool holds_batch = false;          // `rest` is of a batch that is not popped yet
        uint64_t empty_polls_at_wait = 0;  // when the wait for this receiver began
        uint64_t waited_for_ns = ~uint64_t{0};
    };

    enum class Others { passed, arrived, awaited };

    Inlet* earliest() noexcept;
    Others others(uint64_t time_ns) noexcept;
    bool look(Inlet& inlet) noexcept;
    bool has_passed(Inlet& inlet, uint64_t time_ns) noexcept;
    void take(Inlet& inlet) noexcept;

    std::vector<Inlet> inlets_;
    std::array<ParsedPacket, kMaximumBurst> packets_;
    std::array<uint64_t, kMaximumBurst> hashes_;
    size_t count_ = 0;
};

}  // namespace curlew::probe

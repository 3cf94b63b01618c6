#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/block_chain.h"

// Brings the segments of one direction of a TCP connection into order (RFC 9293 section 3.4), as
// far as metadata needs: octets that were there already are left out, segments behind a hole wait
// in pooled blocks until it is filled or there is no more room for waiting. Sequence numbers are
// compared as serial numbers: only their difference counts.

namespace curlew::probe {

// Of a first window of ten segments (RFC 6928) the first may come last, and behind it those that
// each of the others' acknowledgements let go (RFC 5681 section 3.2).
inline constexpr size_t kHeldSegments = 16;
inline constexpr uint32_t kHeldOctets = 24 * 1024;  // full frames, all of these
// A segment further than this from what is awaited belongs to no window of this connection, and its
// receiver passes it over (RFC 9293 section 3.10.7.4), unless the next one goes on behind it: then
// much is missing.
inline constexpr int32_t kFarSegment = 1 << 24;

struct Segment {
    uint32_t sequence = 0;            // of its first octet
    std::span<const uint8_t> octets;  // as captured
    uint32_t wire_octets = 0;         // captured or not
    uint8_t packet = 0;
};

// A direction's part in the order. Zero: nothing seen.
struct SegmentQueue {
    uint32_t next;        // sequence number awaited
    uint32_t held;        // block of HeldSegments, index + 1; 0: nothing waits
    uint32_t behind_far;  // `far`: what follows that segment
    uint16_t held_octets;
    uint8_t begun : 1;  // `next` means something
    uint8_t torn : 1;   // octets before `next` were not captured
    uint8_t far : 1;    // the segment before was far off
    uint8_t unused;
};
static_assert(kHeldOctets <= UINT16_MAX);
static_assert(sizeof(SegmentQueue) == 16);

struct HeldSegment {
    uint32_t sequence;
    uint32_t chain;  // HeldFront, octets; 0: free
};

struct HeldFront {
    uint32_t wire_octets;
    uint16_t octets;
    uint8_t packet;
    uint8_t unused;
};

struct HeldSegments {
    std::array<HeldSegment, kHeldSegments> segments;
};
static_assert(sizeof(HeldSegments) <= kBlockOctets);

class SegmentSorter {
  public:
    explicit SegmentSorter(ChainPool& pool) noexcept : pool_(&pool) {}

    // A connection begins: its first octet has this number.
    void begin(SegmentQueue& queue, uint32_t sequence) noexcept;

    // Calls `deliver(const Segment&, bool gap)` for each piece that is now in order; with a gap
    // something is missing before it. The octets are good during the call. Requires: octets.
    template <typename Deliver>
    void add(SegmentQueue& queue, const Segment& segment, Deliver&& deliver) noexcept {
        if (queue.begun == 0) {
            begin(queue, segment.sequence);
        } else if (is_far(queue, segment)) {
            if (queue.far == 0 || queue.behind_far != segment.sequence) {
                queue.far = 1;
                queue.behind_far = segment.sequence + segment.wire_octets;
                return;
            }
            begin(queue, segment.sequence);
            queue.torn = 1;
        }
        queue.far = 0;
        if (ahead(queue, segment.sequence) > 0) {
            if (hold(queue, segment)) {
                return;
            }
            // The hole will not be filled.
            deliver_held(queue, segment.sequence, deliver);
        }
        deliver_one(queue, segment, deliver);
        deliver_held(queue, queue.next, deliver);
    }

    // Delivers what waits, holes or not.
    template <typename Deliver>
    void finish(SegmentQueue& queue, Deliver&& deliver) noexcept {
        deliver_held(queue, queue.next + kFarSegment, deliver);
    }

    void release(SegmentQueue& queue) noexcept;

  private:
    static int32_t ahead(const SegmentQueue& queue, uint32_t sequence) noexcept {
        return static_cast<int32_t>(sequence - queue.next);
    }
    static bool is_far(const SegmentQueue& queue, const Segment& segment) noexcept;
    bool hold(SegmentQueue& queue, const Segment& segment) noexcept;
    // The held segment with the lowest number, if that is not behind `until`; else null.
    HeldSegment* first_held(const SegmentQueue& queue, uint32_t until) const noexcept;
    // Copies it out and frees its place.
    Segment take_held(SegmentQueue& queue,
                      HeldSegment& held,
                      std::span<uint8_t, kHeldOctets> room) noexcept;

    template <typename Deliver>
    static void deliver_one(SegmentQueue& queue, Segment segment, Deliver&& deliver) noexcept {
        const int32_t distance = ahead(queue, segment.sequence);
        const auto known = static_cast<uint32_t>(distance < 0 ? -distance : 0);
        if (known >= segment.wire_octets) {
            return;  // sent again
        }
        const bool gap = distance > 0 || queue.torn != 0;
        const uint32_t end = segment.sequence + segment.wire_octets;
        queue.torn = segment.octets.size() < segment.wire_octets ? 1 : 0;
        queue.next = end;
        if (known < segment.octets.size()) {
            segment.octets = segment.octets.subspan(known);
            segment.sequence += known;
            deliver(static_cast<const Segment&>(segment), gap);
        }
    }

    // Those that begin at or before `until`, in order, and what they lead to.
    template <typename Deliver>
    void deliver_held(SegmentQueue& queue, uint32_t until, Deliver&& deliver) noexcept {
        while (queue.held != 0) {
            if (ahead(queue, until) < 0) {
                until = queue.next;
            }
            HeldSegment* held = first_held(queue, until);
            if (held == nullptr) {
                return;
            }
            std::array<uint8_t, kHeldOctets> room;
            deliver_one(queue, take_held(queue, *held, room), deliver);
        }
    }

    ChainPool* pool_;
};

}  // namespace curlew::probe

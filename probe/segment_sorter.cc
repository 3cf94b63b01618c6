// Hot path.
#include "probe/segment_sorter.h"

#include <cassert>
#include <cstring>
#include <utility>

namespace curlew::probe {

namespace {

HeldSegments& held_of(const ChainPool& pool, const SegmentQueue& queue) noexcept {
    return *reinterpret_cast<HeldSegments*>(pool.at(queue.held - 1));
}

// Requires: it is not free.
HeldFront front_of(const ChainPool& pool, const HeldSegment& held) noexcept {
    HeldFront front;
    std::memcpy(&front, chain_block(pool, held.chain).octets.data(), sizeof(front));
    return front;
}

}  // namespace

void SegmentSorter::begin(SegmentQueue& queue, uint32_t sequence) noexcept {
    release(queue);
    queue = {};
    queue.next = sequence;
    queue.begun = 1;
}

bool SegmentSorter::is_far(const SegmentQueue& queue, const Segment& segment) noexcept {
    const int32_t distance = ahead(queue, segment.sequence);
    return distance > kFarSegment || distance < -kFarSegment;
}

bool SegmentSorter::hold(SegmentQueue& queue, const Segment& segment) noexcept {
    if (queue.held == 0) {
        const uint32_t block = pool_->take();
        if (block == kNoBlock) {
            return false;
        }
        queue.held = block + 1;
    }
    HeldSegment* free = nullptr;
    for (HeldSegment& held : held_of(*pool_, queue).segments) {
        if (held.chain == 0) {
            free = &held;
        } else if (held.sequence == segment.sequence &&
                   front_of(*pool_, held).octets >= segment.octets.size()) {
            return true;  // waits already
        }
    }
    if (free == nullptr || queue.held_octets + segment.octets.size() > kHeldOctets) {
        return false;
    }
    const HeldFront front{
        segment.wire_octets, static_cast<uint16_t>(segment.octets.size()), segment.packet, 0};
    uint32_t head = 0;
    uint32_t tail = 0;
    if (!append_to_chain(
            *pool_, head, tail, {reinterpret_cast<const uint8_t*>(&front), sizeof(front)})) {
        return false;
    }
    if (!append_to_chain(*pool_, head, tail, segment.octets)) {
        release_chain(*pool_, head);
        return false;
    }
    *free = {segment.sequence, head};
    queue.held_octets = static_cast<uint16_t>(queue.held_octets + front.octets);
    return true;
}

HeldSegment* SegmentSorter::first_held(const SegmentQueue& queue, uint32_t until) const noexcept {
    HeldSegment* first = nullptr;
    for (HeldSegment& held : held_of(*pool_, queue).segments) {
        if (held.chain != 0 &&
            (first == nullptr || static_cast<int32_t>(held.sequence - first->sequence) < 0)) {
            first = &held;
        }
    }
    return first != nullptr && static_cast<int32_t>(first->sequence - until) <= 0 ? first : nullptr;
}

Segment SegmentSorter::take_held(SegmentQueue& queue,
                                 HeldSegment& held,
                                 std::span<uint8_t, kHeldOctets> room) noexcept {
    const HeldFront front = front_of(*pool_, held);
    size_t passed = sizeof(front);
    size_t used = 0;
    visit_chain(*pool_, held.chain, [&](std::span<const uint8_t> part) {
        part = part.subspan(std::exchange(passed, 0));
        assert(part.size() <= room.size() - used);
        std::memcpy(room.data() + used, part.data(), part.size());
        used += part.size();
    });
    const Segment segment{held.sequence, room.first(used), front.wire_octets, front.packet};
    release_chain(*pool_, held.chain);
    queue.held_octets = static_cast<uint16_t>(queue.held_octets - front.octets);
    if (queue.held_octets == 0) {
        pool_->give(queue.held - 1);
        queue.held = 0;
    }
    return segment;
}

void SegmentSorter::release(SegmentQueue& queue) noexcept {
    if (queue.held == 0) {
        return;
    }
    for (HeldSegment& held : held_of(*pool_, queue).segments) {
        release_chain(*pool_, held.chain);
    }
    pool_->give(queue.held - 1);
    queue.held = 0;
    queue.held_octets = 0;
}

}  // namespace curlew::probe

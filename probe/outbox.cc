#include "probe/outbox.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace curlew::probe {

Outbox::Outbox(size_t maximum_octets, uint64_t maximum_spooled_octets)
    : maximum_octets_(maximum_octets), maximum_spooled_octets_(maximum_spooled_octets) {}

bool Outbox::has_room(size_t frame_octets) const noexcept {
    // An empty outbox takes any frame: a bound below one frame would otherwise stop everything.
    return frames_.empty() || octets_ + frame_octets <= maximum_octets_;
}

bool Outbox::has_spool_room(size_t frame_octets) const noexcept {
    return spooled_octets_ + frame_octets <= maximum_spooled_octets_;
}

void Outbox::append(OutboxFrame frame) {
    assert(frame.first_sequence == next_sequence_);
    assert(frame.last_sequence >= frame.first_sequence);
    next_sequence_ = frame.last_sequence + 1;
    records_ += frame.records;
    if (frame.octets != nullptr) {
        assert(frame.records == 0 || has_room(frame.octets->size()));
        octets_ += frame.octets->size();
        records_in_memory_ += frame.records;
    } else {
        spooled_octets_ += frame.place.octets;
    }
    frames_.push_back(std::move(frame));
}

void Outbox::acknowledged(uint64_t last_sequence) {
    while (!frames_.empty() && frames_.front().last_sequence <= last_sequence) {
        const OutboxFrame& frame = frames_.front();
        records_ -= frame.records;
        if (frame.octets != nullptr) {
            octets_ -= frame.octets->size();
            records_in_memory_ -= frame.records;
        } else {
            spooled_octets_ -= frame.place.octets;
        }
        frames_.pop_front();
    }
}

std::vector<OutboxFrame> Outbox::take_memory() {
    std::vector<OutboxFrame> taken;
    std::deque<OutboxFrame> spooled;
    for (OutboxFrame& frame : frames_) {
        if (frame.octets != nullptr) {
            taken.push_back(std::move(frame));
        } else {
            spooled.push_back(std::move(frame));
        }
    }
    frames_ = std::move(spooled);
    octets_ = 0;
    records_ -= std::exchange(records_in_memory_, 0);
    return taken;
}

uint64_t Outbox::earliest_in_memory_ns() const noexcept {
    uint64_t earliest = UINT64_MAX;
    for (const OutboxFrame& frame : frames_) {
        if (frame.octets != nullptr && frame.records != 0) {
            earliest = std::min(earliest, frame.from_ns);
        }
    }
    return earliest;
}

const OutboxFrame* Outbox::after(uint64_t sequence) const noexcept {
    const auto found =
        std::partition_point(frames_.begin(), frames_.end(), [sequence](const OutboxFrame& frame) {
            return frame.last_sequence <= sequence;
        });
    return found == frames_.end() ? nullptr : &*found;
}

uint64_t Outbox::first_held() const noexcept {
    return frames_.empty() ? next_sequence_ : frames_.front().first_sequence;
}

size_t Outbox::octets() const noexcept {
    return octets_;
}

uint64_t Outbox::records() const noexcept {
    return records_;
}

uint64_t Outbox::records_in_memory() const noexcept {
    return records_in_memory_;
}

bool Outbox::empty() const noexcept {
    return frames_.empty();
}

}  // namespace curlew::probe

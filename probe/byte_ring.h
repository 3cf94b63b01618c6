#pragma once

#include <atomic>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

// Messages of varying length from one thread to one other, without locks. A message lies in one
// piece, on a 16-octet boundary. Neither side ever waits here: what to do when the ring is full or
// empty is the caller's to say.

namespace curlew::probe {

// How long a writer that is to lose nothing rests before it looks at a full ring again.
inline constexpr std::chrono::microseconds kFullRingPause{50};

class ByteRing {
  public:
    // Requires: a power of two, at least 4096. A message may take a quarter of it.
    explicit ByteRing(size_t octets)
        : memory_(new (std::align_val_t{64}) uint8_t[octets]), size_(octets) {
        assert(octets >= 4096);
        assert((octets & (octets - 1)) == 0);
    }

    size_t longest_message() const noexcept { return size_ / 4; }

    // Producer: room for a message of `octets`, or null when the ring is full. The message is seen
    // after commit(); a reservation that is not committed may be made again.
    uint8_t* reserve(size_t octets) noexcept {
        assert(octets <= longest_message());
        const size_t need = kHeader + round_up(octets);
        const uint64_t tail = tail_.load(std::memory_order_relaxed);
        const size_t to_end = size_ - offset(tail);
        const size_t skip = to_end < need ? to_end : 0;
        if (tail + skip + need - seen_head_ > size_) {
            seen_head_ = head_.load(std::memory_order_acquire);
            if (tail + skip + need - seen_head_ > size_) {
                return nullptr;
            }
        }
        if (skip != 0) {
            write_header(tail, kSkipMark);
        }
        reserved_at_ = tail + skip;
        return memory_.get() + offset(reserved_at_) + kHeader;
    }

    // Producer: hands the reserved message over, cut to its first `octets`.
    // Requires: octets > 0 and at most what was reserved.
    void commit(size_t octets) noexcept {
        write_header(reserved_at_, octets);
        tail_.store(reserved_at_ + kHeader + round_up(octets), std::memory_order_release);
    }

    // Consumer: the oldest message, empty when there is none. Valid until pop().
    std::span<const uint8_t> front() noexcept {
        uint64_t head = head_.load(std::memory_order_relaxed);
        while (true) {
            if (head == seen_tail_) {
                seen_tail_ = tail_.load(std::memory_order_acquire);
                if (head == seen_tail_) {
                    return {};
                }
            }
            uint64_t octets = 0;
            std::memcpy(&octets, memory_.get() + offset(head), sizeof(octets));
            if (octets != kSkipMark) {
                return {memory_.get() + offset(head) + kHeader, octets};
            }
            head += size_ - offset(head);
            head_.store(head, std::memory_order_release);
        }
    }

    // Consumer: gives the oldest message's room back. Requires: front() was not empty.
    void pop() noexcept {
        const uint64_t head = head_.load(std::memory_order_relaxed);
        uint64_t octets = 0;
        std::memcpy(&octets, memory_.get() + offset(head), sizeof(octets));
        head_.store(head + kHeader + round_up(octets), std::memory_order_release);
    }

    // Consumer: where the newest message ends. Positions only grow.
    uint64_t newest_end() const noexcept { return tail_.load(std::memory_order_acquire); }
    // Consumer: whether all messages that end there or before were popped.
    bool is_popped_to(uint64_t position) const noexcept {
        return head_.load(std::memory_order_relaxed) >= position;
    }

  private:
    static constexpr size_t kHeader = 16;
    static constexpr uint64_t kSkipMark = ~uint64_t{0};
    struct Deleter {
        void operator()(uint8_t* octets) const noexcept {
            ::operator delete[](octets, std::align_val_t{64});
        }
    };

    static size_t round_up(size_t octets) noexcept { return (octets + 15) & ~size_t{15}; }
    size_t offset(uint64_t position) const noexcept {
        return static_cast<size_t>(position) & (size_ - 1);
    }
    void write_header(uint64_t position, uint64_t octets) noexcept {
        std::memcpy(memory_.get() + offset(position), &octets, sizeof(octets));
    }

    std::unique_ptr<uint8_t[], Deleter> memory_;
    size_t size_;
    alignas(64) std::atomic<uint64_t> tail_{0};  // written by the producer, read by the consumer
    uint64_t seen_head_ = 0;                     // the producer's
    uint64_t reserved_at_ = 0;                   // the producer's
    alignas(64) std::atomic<uint64_t> head_{0};  // written by the consumer, read by the producer
    uint64_t seen_tail_ = 0;                     // the consumer's
};

}  // namespace curlew::probe

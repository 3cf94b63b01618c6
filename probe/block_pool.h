#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "proto/mapped_memory.h"

// Blocks of one size from a fixed piece of memory, taken and given back by index. Memory gets its
// pages with the first blocks that are taken from it. One thread.

namespace curlew::probe {

inline constexpr uint32_t kNoBlock = 0xffffffff;

template <size_t kOctets>
class BlockPool {
  public:
    static_assert(kOctets % 64 == 0, "blocks begin on a cache line");

    BlockPool() = default;
    // Requires: memory begins on a cache line, holds whole blocks, and is zero.
    explicit BlockPool(std::span<uint8_t> memory) noexcept
        : memory_(memory.data()), capacity_(static_cast<uint32_t>(memory.size() / kOctets)) {}

    // Index of a block whose octets are all 0, or kNoBlock when none is left.
    uint32_t take() noexcept {
        const bool is_zero = free_ == kNoBlock;  // was never taken
        const uint32_t index = take_used();
        if (!is_zero) {
            // Line by line: as one piece it would be a loop of microcode.
            for (size_t line = 0; line < kOctets; line += 64) {
                std::memset(at(index) + line, 0, 64);
            }
        }
        return index;
    }

    // Likewise of a block whose octets may be anything.
    uint32_t take_used() noexcept {
        if (free_ != kNoBlock) {
            const uint32_t index = free_;
            std::memcpy(&free_, at(index), sizeof(free_));
            ++used_;
            fetch_next();
            return index;
        }
        if (fresh_ == capacity_) {
            return kNoBlock;
        }
        ++used_;
        ++fresh_;
        pages_.fill({memory_, size_t{capacity_} * kOctets}, size_t{fresh_} * kOctets);
        fetch_next();
        return fresh_ - 1;
    }

    void give(uint32_t index) noexcept {
        assert(index < fresh_);
        std::memcpy(at(index), &free_, sizeof(free_));
        free_ = index;
        --used_;
    }

    uint8_t* at(uint32_t index) const noexcept {
        return memory_ + static_cast<size_t>(index) * kOctets;
    }

    uint32_t size() const noexcept { return capacity_; }
    uint32_t left() const noexcept { return capacity_ - used_; }

  private:
    // So that the block is there when it is taken.
    void fetch_next() const noexcept {
        constexpr size_t kFetchedOctets = kOctets < 512 ? kOctets : 512;
        const uint32_t next = free_ != kNoBlock ? free_ : fresh_;
        if (next < capacity_) {
            for (size_t line = 0; line < kFetchedOctets; line += 64) {
                __builtin_prefetch(at(next) + line, 1);
            }
        }
    }

    uint8_t* memory_ = nullptr;
    uint32_t capacity_ = 0;
    proto::PagedFront pages_;
    uint32_t fresh_ = 0;        // blocks from here on were never taken
    uint32_t free_ = kNoBlock;  // head of the list of given blocks, linked through their front
    uint32_t used_ = 0;
};

}  // namespace curlew::probe

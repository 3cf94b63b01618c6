#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "probe/block_pool.h"

// Octets in a chain of pooled blocks, appended to and read in order. A chain is known by references
// to its first and last block: index + 1, so that zero means none.

namespace curlew::probe {

inline constexpr size_t kBlockOctets = 128;

// Text or entries in `octets`, in order.
struct ChainBlock {
    uint32_t next;  // block index + 1; 0: the last
    uint32_t used;  // octets in use
    std::array<uint8_t, kBlockOctets - 8> octets;
};
static_assert(sizeof(ChainBlock) == kBlockOctets);

using ChainPool = BlockPool<kBlockOctets>;

inline ChainBlock& chain_block(const ChainPool& pool, uint32_t reference) noexcept {
    return *reinterpret_cast<ChainBlock*>(pool.at(reference - 1));
}

// False, and nothing appended, when there are not blocks enough.
bool append_to_chain(ChainPool& pool,
                     uint32_t& head,
                     uint32_t& tail,
                     std::span<const uint8_t> octets) noexcept;

// Gives the blocks back; `head` is 0 afterwards.
void release_chain(ChainPool& pool, uint32_t& head) noexcept;

struct ChainLength {
    const ChainPool* pool;
    uint32_t head;
    uint32_t octets = 0;
};

// Counts the octets of several chains, block by block in step: each block is waited for, and so
// they are waited for together. Leaves `head` at 0, and fetches what a visit will read.
void measure_chains(std::span<ChainLength> chains) noexcept;

// Calls `visit(std::span<const uint8_t>)` for each block of a chain.
template <typename Visit>
void visit_chain(const ChainPool& pool, uint32_t head, Visit&& visit) {
    while (head != 0) {
        const ChainBlock& block = chain_block(pool, head);
        visit(std::span<const uint8_t>(block.octets.data(), block.used));
        head = block.next;
    }
}

}  // namespace curlew::probe

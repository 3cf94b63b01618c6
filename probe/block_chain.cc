// Hot path.
#include "probe/block_chain.h"

#include <algorithm>
#include <cstring>

namespace curlew::probe {

bool append_to_chain(ChainPool& pool,
                     uint32_t& head,
                     uint32_t& tail,
                     std::span<const uint8_t> octets) noexcept {
    constexpr size_t kRoom = sizeof(ChainBlock::octets);
    const size_t left = tail == 0 ? 0 : kRoom - chain_block(pool, tail).used;
    // All or nothing: a reader takes what follows a torn entry for the next one.
    if (octets.size() > left && (octets.size() - left + kRoom - 1) / kRoom > pool.left()) {
        return false;
    }
    while (!octets.empty()) {
        if (tail == 0 || chain_block(pool, tail).used == kRoom) {
            const uint32_t fresh = pool.take_used();
            chain_block(pool, fresh + 1).next = 0;
            chain_block(pool, fresh + 1).used = 0;
            if (tail == 0) {
                head = fresh + 1;
            } else {
                chain_block(pool, tail).next = fresh + 1;
            }
            tail = fresh + 1;
        }
        ChainBlock& block = chain_block(pool, tail);
        const size_t part = std::min(kRoom - block.used, octets.size());
        std::memcpy(block.octets.data() + block.used, octets.data(), part);
        block.used += static_cast<uint32_t>(part);
        octets = octets.subspan(part);
    }
    return true;
}

void measure_chains(std::span<ChainLength> chains) noexcept {
    for (uint32_t going = 1; going != 0;) {
        going = 0;
        for (ChainLength& chain : chains) {
            if (chain.head != 0) {
                const ChainBlock& block = chain_block(*chain.pool, chain.head);
                __builtin_prefetch(reinterpret_cast<const uint8_t*>(&block) + 64);
                chain.octets += block.used;
                chain.head = block.next;
                going |= block.next;
            }
        }
    }
}

void release_chain(ChainPool& pool, uint32_t& head) noexcept {
    while (head != 0) {
        const uint32_t next = chain_block(pool, head).next;
        pool.give(head - 1);
        head = next;
    }
}

}  // namespace curlew::probe

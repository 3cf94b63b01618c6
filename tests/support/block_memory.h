#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "probe/block_chain.h"

namespace curlew::tests {

// Zero memory for so many blocks of a ChainPool, on a cache line.
class BlockMemory {
  public:
    explicit BlockMemory(size_t blocks) : blocks_(blocks) {}

    std::span<uint8_t> octets() {
        return {reinterpret_cast<uint8_t*>(blocks_.data()), blocks_.size() * sizeof(Block)};
    }

  private:
    struct alignas(64) Block {
        std::array<uint8_t, probe::kBlockOctets> octets{};
    };
    std::vector<Block> blocks_;
};

// What a chain holds.
inline std::vector<uint8_t> chain_octets(const probe::ChainPool& pool, uint32_t head) {
    std::vector<uint8_t> octets;
    probe::visit_chain(pool, head, [&](std::span<const uint8_t> part) {
        octets.insert(octets.end(), part.begin(), part.end());
    });
    return octets;
}

}  // namespace curlew::tests

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/flow_key.h"

// A 64-bit hash of a flow key under a secret key, equal on every machine.
//
// The 48 octets are three blocks; each passes four AES rounds under round keys of its own, the
// results are added and pass two more rounds. Four AES rounds with independent keys map any two
// different blocks to a wanted difference with a chance below 2^-110 (Keliher and Sui, 2005), so
// the sum is an almost XOR-universal hash: who knows all but the key, and sees no hash, cannot find
// keys that share a bucket better than by chance. A CRC offers nothing of the kind, under any seed.

namespace curlew::probe {

class KeyedHash {
  public:
    static constexpr size_t kKeyOctets = 14 * 16;
    using Key = std::array<uint8_t, kKeyOctets>;

    // Of each hash the bits of `kept` stay: tests force flows into one bucket by fewer than all.
    explicit KeyedHash(const Key& key, uint64_t kept = ~uint64_t{0}) noexcept
        : key_(key), kept_(kept) {}

    uint64_t operator()(const FlowKey& key) const noexcept;

    // The same without the processor's AES instructions, for machines that lack them and as the
    // reference of the other.
    uint64_t portable(const FlowKey& key) const noexcept;

  private:
    alignas(16) Key key_;
    uint64_t kept_;
};

}  // namespace curlew::probe

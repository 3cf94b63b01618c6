#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/keyed_hash.h"

// What tells two packets apart without keeping their octets: 128 bits under a secret key.
//
// The octets are words of 64 bits; what is left of them is read with octets before it, as two words
// more. Each pair is added to two words of the key, the sums are multiplied, and the products and
// the length added up: the hash NH of UMAC (Black, Halevi, Krawczyk, Krovetz and Rogaway, 1999)
// with words of 64 bits. Two different strings of one length have one digest for at most one key in
// 2^64, two of different lengths for at most one in 2^63.
//
// A flow is told by its whole key and never by its hash, for there are millions of flows, each
// lasts for minutes, and what a wrong one takes is a record. Two packets are held against each
// other only when they are of one flow with one identification, and for a moment; who wants two
// to be mistaken has to guess a secret of 63 bits. To keep the octets themselves would cost their
// memory, and a second reading of it for each packet.

namespace curlew::probe {

class PacketDigest {
  public:
    // What the parser calls an IP packet has more; the longest one has fewer.
    static constexpr size_t kMinimumOctets = 16;
    static constexpr size_t kMaximumOctets = 65'536;

    struct Value {
        uint64_t low;
        uint64_t high;
        bool operator==(const Value&) const = default;
    };

    // The key is made of the hash's.
    explicit PacketDigest(const KeyedHash& hash) noexcept;

    // Requires: kMinimumOctets <= octets.size() <= kMaximumOctets.
    Value operator()(std::span<const uint8_t> octets) const noexcept;

  private:
    std::array<uint64_t, kMaximumOctets / sizeof(uint64_t)> key_;
};

}  // namespace curlew::probe

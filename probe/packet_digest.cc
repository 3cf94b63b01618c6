// Hot path.
#include "probe/packet_digest.h"

#include <cassert>
#include <cstring>

namespace curlew::probe {

namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr size_t kPairOctets = 2 * sizeof(uint64_t);
static_assert(PacketDigest::kMinimumOctets == kPairOctets);

Wide product(const uint8_t* octets, const uint64_t* key) noexcept {
    uint64_t pair[2];
    std::memcpy(pair, octets, sizeof(pair));
    return static_cast<Wide>(pair[0] + key[0]) * (pair[1] + key[1]);
}

}  // namespace

PacketDigest::PacketDigest(const KeyedHash& hash) noexcept {
    for (size_t i = 0; i < key_.size(); ++i) {
        // No flow's key: of those the version is 4 or 6.
        FlowKey number{};
        std::memcpy(number.low_address.data(), &i, sizeof(i));
        key_[i] = hash(number);
    }
}

PacketDigest::Value PacketDigest::operator()(std::span<const uint8_t> octets) const noexcept {
    assert(octets.size() >= kMinimumOctets);
    assert(octets.size() <= kMaximumOctets);
    const uint8_t* const begin = octets.data();
    const size_t size = octets.size();
    // Two sums, so that one addition need not wait for the other.
    Wide even = size;
    Wide odd = 0;
    size_t at = 0;
    for (; at + 2 * kPairOctets <= size; at += 2 * kPairOctets) {
        const uint64_t* key = &key_[at / sizeof(uint64_t)];
        even += product(begin + at, key);
        odd += product(begin + at + kPairOctets, key + 2);
    }
    if (at + kPairOctets <= size) {
        even += product(begin + at, &key_[at / sizeof(uint64_t)]);
        at += kPairOctets;
    }
    if (at < size) {
        odd += product(begin + size - kPairOctets, &key_[at / sizeof(uint64_t)]);
    }
    const Wide sum = even + odd;
    return {static_cast<uint64_t>(sum), static_cast<uint64_t>(sum >> 64)};
}

}  // namespace curlew::probe

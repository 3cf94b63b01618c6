#include "probe/packet_digest.h"

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

KeyedHash hash_of(uint8_t fill) {
    KeyedHash::Key key;
    key.fill(fill);
    return KeyedHash(key);
}

std::vector<uint8_t> octets_of(size_t count) {
    std::vector<uint8_t> octets(count);
    for (size_t i = 0; i < count; ++i) {
        octets[i] = static_cast<uint8_t>(i * 7);
    }
    return octets;
}

}  // namespace

TEST_GROUP(PacketDigest) {
    const std::unique_ptr<PacketDigest> digest = std::make_unique<PacketDigest>(hash_of(1));
    std::set<std::pair<uint64_t, uint64_t>> seen;

    bool is_new(const std::vector<uint8_t>& octets) {
        const PacketDigest::Value value = (*digest)(octets);
        return seen.emplace(value.low, value.high).second;
    }
};

TEST(PacketDigest, every_octet_counts) {
    for (const size_t count : {16u, 17u, 31u, 32u, 33u, 40u, 48u, 63u, 64u, 65u, 1500u}) {
        std::vector<uint8_t> octets = octets_of(count);
        CHECK_TRUE(is_new(octets));
        for (size_t i = 0; i < count; ++i) {
            for (const uint8_t change : {uint8_t{1}, uint8_t{128}}) {
                octets[i] ^= change;
                CHECK_TRUE(is_new(octets));
                octets[i] ^= change;
            }
        }
        CHECK_FALSE(is_new(octets));
    }
}

TEST(PacketDigest, zeros_at_the_end_count) {
    for (size_t count = 16; count < 100; ++count) {
        CHECK_TRUE(is_new(std::vector<uint8_t>(count)));
    }
}

TEST(PacketDigest, where_words_stand_counts) {
    std::vector<uint8_t> octets = octets_of(64);
    CHECK_TRUE(is_new(octets));
    std::swap_ranges(octets.begin(), octets.begin() + 8, octets.begin() + 8);
    CHECK_TRUE(is_new(octets));
    std::swap_ranges(octets.begin(), octets.begin() + 16, octets.begin() + 32);
    CHECK_TRUE(is_new(octets));
}

TEST(PacketDigest, follows_the_hashs_key) {
    const std::vector<uint8_t> octets = octets_of(60);
    CHECK_TRUE((*digest)(octets) == (*std::make_unique<PacketDigest>(hash_of(1)))(octets));
    CHECK_FALSE((*digest)(octets) == (*std::make_unique<PacketDigest>(hash_of(2)))(octets));
}

TEST(PacketDigest, takes_the_longest_packet) {
    std::vector<uint8_t> octets = octets_of(PacketDigest::kMaximumOctets);
    CHECK_TRUE(is_new(octets));
    octets.back() ^= 1;
    CHECK_TRUE(is_new(octets));
}

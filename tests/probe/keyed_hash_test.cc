#include "probe/keyed_hash.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::probe::FlowKey;
using curlew::probe::KeyedHash;

namespace {

KeyedHash::Key counting_key(uint8_t first) {
    KeyedHash::Key key;
    for (size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<uint8_t>(first + i);
    }
    return key;
}

FlowKey numbered_flow(uint32_t number) {
    FlowKey key;
    key.low_address = {10, 0, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
    key.high_address = {192, 168, 1, 1};
    key.low_port = static_cast<uint16_t>(number);
    key.high_port = 443;
    key.protocol = 6;
    key.ip_version = 4;
    return key;
}

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint32_t operator()() {
        state_ = state_ * 6364136223846793005 + 1442695040888963407;
        return static_cast<uint32_t>(state_ >> 32);
    }

  private:
    uint64_t state_;
};

// CRC-32C (RFC 3720 appendix B.4) over a key, without the final complement.
uint32_t crc_of(const FlowKey& key, uint32_t seed) {
    std::array<uint8_t, sizeof(FlowKey)> octets;
    std::memcpy(octets.data(), &key, sizeof(key));
    uint32_t crc = seed;
    for (const uint8_t octet : octets) {
        crc ^= octet;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
        }
    }
    return crc;
}

FlowKey with_ports(FlowKey key, uint32_t ports) {
    key.low_port = static_cast<uint16_t>(key.low_port ^ (ports & 0xffff));
    key.high_port = static_cast<uint16_t>(key.high_port ^ (ports >> 16));
    return key;
}

// What an attacker computes who chooses addresses and ports, knows the function, and does not know
// its seed: a CRC is affine, so the ports are solved for that bring it back to one value.
std::vector<FlowKey> crc_collisions(size_t count) {
    const FlowKey base = numbered_flow(1);
    const uint32_t target = crc_of(base, 0);
    // What each bit of the ports changes; in echelon form, with the bits that do it.
    struct Row {
        uint32_t change;
        uint32_t ports;
    };
    std::array<Row, 32> by_bit{};
    for (uint32_t bit = 0; bit < 32; ++bit) {
        const uint32_t ports = uint32_t{1} << bit;
        Row row{crc_of(with_ports(base, ports), 0) ^ target, ports};
        while (row.change != 0) {
            Row& held = by_bit[static_cast<size_t>(std::bit_width(row.change) - 1)];
            if (held.change == 0) {
                held = row;
                break;
            }
            row = {row.change ^ held.change, row.ports ^ held.ports};
        }
    }
    std::vector<FlowKey> keys;
    Random random(5);
    while (keys.size() < count) {
        FlowKey key = base;
        for (uint8_t& octet : key.low_address) {
            octet = static_cast<uint8_t>(random());
        }
        uint32_t left = crc_of(key, 0) ^ target;
        uint32_t ports = 0;
        while (left != 0) {
            const Row& row = by_bit[static_cast<size_t>(std::bit_width(left) - 1)];
            CHECK(row.change != 0);
            left ^= row.change;
            ports ^= row.ports;
        }
        keys.push_back(with_ports(key, ports));
    }
    return keys;
}

// Pairs that share 12 bits from `shift` on, over what random keys have of them, in standard
// deviations.
double excess_pairs(const KeyedHash& hash, const std::vector<FlowKey>& keys, int shift) {
    std::vector<uint64_t> counts(4096);
    for (const FlowKey& key : keys) {
        ++counts[(hash(key) >> shift) & 4095];
    }
    double pairs = 0;
    for (const uint64_t count : counts) {
        pairs += static_cast<double>(count * (count - 1)) / 2;
    }
    const auto size = static_cast<double>(keys.size());
    const double expected = size * (size - 1) / 2 / 4096;
    return (pairs - expected) / std::sqrt(expected);
}

}  // namespace

TEST_GROUP(KeyedHash){};

TEST(KeyedHash, equals_its_portable_form) {
    const KeyedHash hash(counting_key(1));
    for (uint32_t i = 0; i < 1000; ++i) {
        CHECK_EQUAL(hash.portable(numbered_flow(i)), hash(numbered_flow(i)));
    }
}

TEST(KeyedHash, never_changes_between_machines) {
    const KeyedHash hash(counting_key(0));
    CHECK_EQUAL(0xc933735690b886c8, hash.portable(FlowKey{}));
    CHECK_EQUAL(0x61da5cbbd67fa1c7, hash.portable(numbered_flow(7)));
}

TEST(KeyedHash, depends_on_the_key) {
    CHECK(KeyedHash(counting_key(1))(numbered_flow(5)) !=
          KeyedHash(counting_key(2))(numbered_flow(5)));
}

TEST(KeyedHash, every_octet_of_a_flow_key_counts) {
    const KeyedHash hash(counting_key(9));
    std::set<uint64_t> seen{hash(FlowKey{})};
    for (size_t i = 0; i < sizeof(FlowKey); ++i) {
        FlowKey key;
        reinterpret_cast<uint8_t*>(&key)[i] = 1;
        seen.insert(hash(key));
    }
    CHECK_EQUAL(sizeof(FlowKey) + 1, seen.size());
}

TEST(KeyedHash, spreads_numbered_flows_over_partitions) {
    const KeyedHash hash(counting_key(3));
    uint32_t counts[64] = {};
    for (uint32_t i = 0; i < 6400; ++i) {
        ++counts[hash(numbered_flow(i)) >> 58];
    }
    // 100 expected in each; 50 and 150 are five standard deviations away.
    for (const uint32_t count : counts) {
        CHECK(count > 50 && count < 150);
    }
}

TEST(KeyedHash, spreads_keys_that_collide_under_every_crc) {
    const std::vector<FlowKey> keys = crc_collisions(20'000);
    for (const uint32_t seed : {0u, 0xdeadbeefu, 0x13572468u}) {
        std::set<uint32_t> values;
        for (const FlowKey& key : keys) {
            values.insert(crc_of(key, seed));
        }
        CHECK_EQUAL(1u, values.size());
    }
    // Of the bucket, of its tag, of the partition.
    for (const uint8_t first : {uint8_t{1}, uint8_t{77}, uint8_t{200}}) {
        for (const int shift : {0, 32, 52}) {
            CHECK(std::abs(excess_pairs(KeyedHash(counting_key(first)), keys, shift)) < 5);
        }
    }
}

TEST(KeyedHash, spreads_keys_that_differ_by_sums_of_few_differences) {
    const KeyedHash hash(counting_key(11));
    // Every sum of fourteen single bits, from all over a key.
    for (size_t from = 0; from < 8; ++from) {
        std::vector<FlowKey> keys(size_t{1} << 14, numbered_flow(3));
        for (size_t i = 0; i < keys.size(); ++i) {
            auto* octets = reinterpret_cast<uint8_t*>(&keys[i]);
            for (size_t bit = 0; bit < 14; ++bit) {
                octets[from + bit * 3] =
                    static_cast<uint8_t>(octets[from + bit * 3] ^ (i >> bit & 1) << from);
            }
        }
        CHECK(std::abs(excess_pairs(hash, keys, 0)) < 5);
        CHECK(std::abs(excess_pairs(hash, keys, 32)) < 5);
        CHECK(std::abs(excess_pairs(hash, keys, 52)) < 5);
    }
}

TEST(KeyedHash, no_difference_of_keys_makes_their_hashes_meet) {
    constexpr int kPairs = 1000;
    const KeyedHash hash(counting_key(13));
    Random random(7);
    for (size_t bit = 0; bit < 8 * sizeof(FlowKey); ++bit) {
        int met = 0;
        for (int pair = 0; pair < kPairs; ++pair) {
            FlowKey key;
            auto* octets = reinterpret_cast<uint8_t*>(&key);
            for (size_t i = 0; i < sizeof(key); ++i) {
                octets[i] = static_cast<uint8_t>(random());
            }
            const uint64_t one = hash(key);
            octets[bit / 8] = static_cast<uint8_t>(octets[bit / 8] ^ 1u << bit % 8);
            met += ((one ^ hash(key)) & 255) == 0 ? 1 : 0;
        }
        // 3.9 expected: 20 are eight standard deviations above.
        CHECK(met < 20);
    }
}

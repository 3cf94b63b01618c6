#include "probe/keyed_hash.h"

#include <cstdint>
#include <set>

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

#include "probe/protocols/quic_keys.h"

#include <string>
#include <vector>

#include "tests/support/packet_builder.h"
#include "tests/support/quic_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

// As in the examples of RFC 9001 appendix A and RFC 9369 appendix A.
const Octets kExampleId = from_hex("8394c8f03e515708");

std::string hex(std::span<const uint8_t> octets) {
    std::string text;
    for (const uint8_t octet : octets) {
        text += "0123456789abcdef"[octet >> 4];
        text += "0123456789abcdef"[octet & 15];
    }
    return text;
}

}  // namespace

TEST_GROUP(QuicKeys){};

TEST(QuicKeys, keys_are_those_of_the_rfcs_examples) {
    QuicKeys keys;
    CHECK_TRUE(derive_quic_keys(quic_connection(1, kExampleId), keys));
    STRCMP_EQUAL("1f369613dd76d5467730efcbe3b1a22d", hex(keys.key).c_str());
    STRCMP_EQUAL("fa044b2f42a3fd3b46fb255c", hex(keys.iv).c_str());
    STRCMP_EQUAL("9f50449e04a0e810283a1e9933adedd2", hex(keys.header_key).c_str());
    CHECK_TRUE(derive_quic_keys(quic_connection(0x6b3343cf, kExampleId), keys));
    STRCMP_EQUAL("8b1a0bc121284290a29e0971b5cd045d", hex(keys.key).c_str());
    STRCMP_EQUAL("91f73e2351d8fa91660e909f", hex(keys.iv).c_str());
    STRCMP_EQUAL("45b95e15235d6f45a6b19cbcb0294ba9", hex(keys.header_key).c_str());
    CHECK_FALSE(derive_quic_keys(quic_connection(3, kExampleId), keys));
}

// The client's Initial of RFC 9001 appendix A.2: sample and mask.
TEST(QuicKeys, a_header_is_hidden_by_the_mask_of_the_rfc) {
    QuicCipher cipher;
    QuicKeys keys;
    CHECK_TRUE(derive_quic_keys(quic_connection(1, kExampleId), keys));
    const Octets octets = from_hex("d1b1c98dd7689fb8ec11d242b123dc9b");
    QuicSample sample;
    std::copy(octets.begin(), octets.end(), sample.begin());
    QuicSample mask;
    CHECK_TRUE(cipher.mask_header(keys, sample, mask));
    STRCMP_EQUAL("437b9aec36", hex(std::span(mask).first(5)).c_str());
}

// One cipher, keys in turns: what was opened last leaves nothing behind.
TEST(QuicKeys, keys_of_many_connections_are_used_in_turns) {
    QuicCipher cipher;
    QuicKeys first;
    QuicKeys second;
    for (size_t i = 0; i < 3; ++i) {
        CHECK_TRUE(derive_quic_keys(quic_connection(1, kExampleId), first));
        CHECK_FALSE(derive_quic_keys(quic_connection(3, kExampleId), second));
        CHECK_TRUE(derive_quic_keys(quic_connection(1, {1, 2, 3}), second));
        STRCMP_EQUAL("1f369613dd76d5467730efcbe3b1a22d", hex(first.key).c_str());
        CHECK_FALSE(first.key == second.key);
        const Octets junk(64, 0x55);
        uint8_t plain[64];
        CHECK_FALSE(cipher.open(first, 2, junk, junk, plain));
        CHECK_FALSE(cipher.open(second, 2, {}, junk, plain));
    }
}

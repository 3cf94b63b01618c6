// Hot path.
#include "probe/keyed_hash.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace curlew::probe {

namespace {

using Block = std::array<uint8_t, 16>;

constexpr uint8_t multiply_by_two(uint8_t x) {
    return static_cast<uint8_t>((x << 1) ^ ((x & 0x80) != 0 ? 0x1b : 0));
}

// FIPS 197 section 5.1.1: inverse in GF(2^8), then the affine transform. Walks the field by its
// generator 3 and by the generator's inverse side by side.
constexpr std::array<uint8_t, 256> make_substitution_box() {
    std::array<uint8_t, 256> box{};
    uint8_t p = 1;
    uint8_t q = 1;
    do {
        p = static_cast<uint8_t>(p ^ multiply_by_two(p));
        q = static_cast<uint8_t>(q ^ (q << 1));
        q = static_cast<uint8_t>(q ^ (q << 2));
        q = static_cast<uint8_t>(q ^ (q << 4));
        q = static_cast<uint8_t>(q ^ ((q & 0x80) != 0 ? 0x09 : 0));
        const auto rotate = [](uint8_t x, int by) {
            return static_cast<uint8_t>((x << by) | (x >> (8 - by)));
        };
        box[p] = static_cast<uint8_t>(q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^
                                      rotate(q, 4) ^ 0x63);
    } while (p != 1);
    box[0] = 0x63;
    return box;
}

constexpr std::array<uint8_t, 256> kSubstitutionBox = make_substitution_box();
static_assert(kSubstitutionBox[0x53] == 0xed);  // the example of FIPS 197

// One round as AESENC does it: ShiftRows, SubBytes, MixColumns, AddRoundKey.
Block portable_round(const Block& state, const uint8_t* round_key) {
    Block shifted;
    for (size_t column = 0; column < 4; ++column) {
        for (size_t row = 0; row < 4; ++row) {
            shifted[column * 4 + row] = kSubstitutionBox[state[((column + row) % 4) * 4 + row]];
        }
    }
    Block mixed;
    for (size_t column = 0; column < 4; ++column) {
        const uint8_t* s = &shifted[column * 4];
        const auto all = static_cast<uint8_t>(s[0] ^ s[1] ^ s[2] ^ s[3]);
        for (size_t row = 0; row < 4; ++row) {
            const auto pair = static_cast<uint8_t>(s[row] ^ s[(row + 1) % 4]);
            mixed[column * 4 + row] = static_cast<uint8_t>(s[row] ^ all ^ multiply_by_two(pair) ^
                                                           round_key[column * 4 + row]);
        }
    }
    return mixed;
}

constexpr Block kZeroKey{};

}  // namespace

uint64_t KeyedHash::portable(const FlowKey& key) const noexcept {
    Block octets[3];
    std::memcpy(octets, &key, sizeof(key));
    Block sum{};
    for (size_t i = 0; i < 3; ++i) {
        const uint8_t* keys = &key_[i * 64];
        for (size_t j = 0; j < 16; ++j) {
            octets[i][j] ^= keys[j];
        }
        Block state = portable_round(octets[i], keys + 16);
        state = portable_round(state, keys + 32);
        state = portable_round(state, keys + 48);
        state = portable_round(state, kZeroKey.data());
        for (size_t j = 0; j < 16; ++j) {
            sum[j] ^= state[j];
        }
    }
    sum = portable_round(sum, &key_[192]);
    sum = portable_round(sum, &key_[208]);
    uint64_t hash = 0;
    std::memcpy(&hash, sum.data(), sizeof(hash));
    return hash & kept_;
}

#if defined(__x86_64__)

namespace {

__attribute__((target("aes"))) inline __m128i load(const void* octets) {
    return _mm_loadu_si128(static_cast<const __m128i*>(octets));
}

__attribute__((target("aes"))) inline __m128i four_rounds(__m128i block, const uint8_t* keys) {
    block = _mm_xor_si128(block, load(keys));
    block = _mm_aesenc_si128(block, load(keys + 16));
    block = _mm_aesenc_si128(block, load(keys + 32));
    block = _mm_aesenc_si128(block, load(keys + 48));
    return _mm_aesenc_si128(block, _mm_setzero_si128());
}

__attribute__((target("aes"))) uint64_t hash_with_aes(const FlowKey& key, const uint8_t* keys) {
    const auto* octets = reinterpret_cast<const uint8_t*>(&key);
    __m128i sum =
        _mm_xor_si128(four_rounds(load(octets), keys), four_rounds(load(octets + 16), keys + 64));
    sum = _mm_xor_si128(sum, four_rounds(load(octets + 32), keys + 128));
    sum = _mm_aesenc_si128(sum, load(keys + 192));
    sum = _mm_aesenc_si128(sum, load(keys + 208));
    return static_cast<uint64_t>(_mm_cvtsi128_si64(sum));
}

const bool kHasAes = __builtin_cpu_supports("aes") != 0;

}  // namespace

uint64_t KeyedHash::operator()(const FlowKey& key) const noexcept {
    return kHasAes ? hash_with_aes(key, key_.data()) & kept_ : portable(key);
}

#else

uint64_t KeyedHash::operator()(const FlowKey& key) const noexcept {
    return portable(key);
}

#endif

}  // namespace curlew::probe

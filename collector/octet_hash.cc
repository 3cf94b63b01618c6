#include "collector/octet_hash.h"

#include <cstring>
#include <random>

namespace curlew::collector {
namespace {

struct HashKey {
    uint64_t start;
    uint64_t factor;
};

const HashKey& key() {
    static const HashKey key = [] {
        std::random_device random;
        const auto word = [&random] {
            return static_cast<uint64_t>(random()) << 32 | static_cast<uint32_t>(random());
        };
        return HashKey{word(), word() | 1};
    }();
    return key;
}

// Both halves of the product, so that each bit of the two moves all of it.
uint64_t fold(uint64_t one, uint64_t other) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(one) * other;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t keyed(const HashKey& secret, std::string_view octets) noexcept {
    uint64_t hash = fold(secret.start ^ octets.size(), secret.factor);
    uint64_t word;
    // By two at once, for each product waits for the one before.
    uint64_t other = ~hash;
    for (; octets.size() >= 2 * sizeof word; octets.remove_prefix(2 * sizeof word)) {
        std::memcpy(&word, octets.data(), sizeof word);
        hash = fold(hash ^ word, secret.factor);
        std::memcpy(&word, octets.data() + sizeof word, sizeof word);
        other = fold(other ^ word, secret.factor);
    }
    hash = fold(hash ^ (other << 1 | other >> 63), secret.factor);
    if (octets.size() >= sizeof word) {
        std::memcpy(&word, octets.data(), sizeof word);
        hash = fold(hash ^ word, secret.factor);
        octets.remove_prefix(sizeof word);
    }
    word = 0;
    if (!octets.empty()) {
        std::memcpy(&word, octets.data(), octets.size());
    }
    return fold(hash ^ word, secret.factor);
}

}  // namespace

uint64_t octet_hash(std::string_view octets) noexcept {
    return keyed(key(), octets);
}

uint64_t fixed_octet_hash(std::string_view octets) noexcept {
    return keyed({0x9e3779b97f4a7c15, 0xd6e8feb86659fd93}, octets);
}

}  // namespace curlew::collector

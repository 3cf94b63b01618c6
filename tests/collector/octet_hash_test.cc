#include "collector/octet_hash.h"

#include <set>
#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(OctetHash){};

TEST(OctetHash, octets_of_any_length_have_hashes_of_their_own) {
    std::set<uint64_t> hashes;
    std::string octets;
    for (size_t length = 0; length < 64; ++length, octets += '\0') {
        hashes.insert(octet_hash(octets));
        for (size_t bit = 0; bit < 8 * length; ++bit) {
            std::string other = octets;
            other[bit / 8] = static_cast<char>(1 << (bit % 8));
            hashes.insert(octet_hash(other));
        }
    }
    CHECK_EQUAL(64 + 8 * 63 * 64 / 2, hashes.size());
}

}  // namespace curlew::collector

#include "collector/octet_memory.h"

#include <set>
#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(OctetMemory) {
    OctetMemory<int> memory;
};

TEST(OctetMemory, finds_what_was_put_by_all_its_octets) {
    memory.put("abcdefgh", 1);
    memory.put(std::string_view("abcdefg\0", 8), 2);
    memory.put("", 3);
    CHECK_EQUAL(1, *memory.find("abcdefgh"));
    CHECK_EQUAL(2, *memory.find(std::string_view("abcdefg\0", 8)));
    CHECK_EQUAL(3, *memory.find(""));
    CHECK(memory.find("abcdefg") == nullptr);
}

TEST(OctetMemory, forgets_everything_where_there_is_no_more_room) {
    for (size_t i = 0; i < OctetMemory<int>::kMaximumEntries; ++i) {
        memory.put(std::to_string(i), 1);
    }
    CHECK(memory.find("0") != nullptr);
    memory.put("one more", 1);
    CHECK(memory.find("0") == nullptr);
    CHECK(memory.find("one more") != nullptr);

    const std::string longest(OctetMemory<int>::kLongestKey - 8, 'x');
    for (size_t octets = 0; octets <= OctetMemory<int>::kMaximumOctets; octets += longest.size()) {
        memory.put(longest + std::to_string(octets), 1);
    }
    CHECK(memory.find("one more") == nullptr);
}

TEST(OctetMemory, what_is_too_long_is_not_kept) {
    const std::string octets(OctetMemory<int>::kLongestKey + 1, 'x');
    memory.put(octets, 1);
    CHECK(memory.find(octets) == nullptr);
}

TEST(OctetMemory, octets_of_any_length_have_hashes_of_their_own) {
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

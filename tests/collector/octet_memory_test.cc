#include "collector/octet_memory.h"

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

}  // namespace curlew::collector

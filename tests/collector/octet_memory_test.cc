#include "collector/octet_memory.h"

#include <string>
#include <string_view>

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(OctetMemory) {
    OctetMemory<int> memory;

    void offer_twice(std::string_view octets, int value) {
        memory.offer(octets, value);
        memory.offer(octets, value);
    }
};

TEST(OctetMemory, finds_what_came_twice_by_all_its_octets) {
    offer_twice("abcdefgh", 1);
    offer_twice(std::string_view("abcdefg\0", 8), 2);
    offer_twice("", 3);
    CHECK_EQUAL(1, *memory.find("abcdefgh"));
    CHECK_EQUAL(2, *memory.find(std::string_view("abcdefg\0", 8)));
    CHECK_EQUAL(3, *memory.find(""));
    CHECK(memory.find("abcdefg") == nullptr);
}

TEST(OctetMemory, what_came_once_is_not_kept) {
    memory.offer("once", 1);
    CHECK(memory.find("once") == nullptr);
    memory.offer("once", 2);
    CHECK_EQUAL(2, *memory.find("once"));
}

TEST(OctetMemory, forgets_everything_where_there_is_no_more_room) {
    for (size_t i = 0; i < OctetMemory<int>::kMaximumEntries; ++i) {
        offer_twice(std::to_string(i), 1);
    }
    CHECK(memory.find("0") != nullptr);
    offer_twice("one more", 1);
    CHECK(memory.find("0") == nullptr);
    CHECK(memory.find("one more") != nullptr);

    const std::string longest(OctetMemory<int>::kLongestKey - 8, 'x');
    for (size_t octets = 0; octets <= OctetMemory<int>::kMaximumOctets; octets += longest.size()) {
        offer_twice(longest + std::to_string(octets), 1);
    }
    CHECK(memory.find("one more") == nullptr);
}

TEST(OctetMemory, what_is_too_long_is_not_kept) {
    const std::string octets(OctetMemory<int>::kLongestKey + 1, 'x');
    offer_twice(octets, 1);
    CHECK(memory.find(octets) == nullptr);
}

}  // namespace curlew::collector

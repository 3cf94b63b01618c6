#include "collector/bounded_map.h"

#include <set>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr size_t kRoom = 3;

}  // namespace

TEST_GROUP(BoundedMap) {
    BoundedMap<int> map{kRoom};
    int gone = 0;  // sum of what had to go

    bool add(const std::string& key, int value) {
        int* const place = map.find_or_add(
            key, [value] { return value; }, [this](int one) { gone += one; });
        return place != nullptr && *place == value;
    }

    std::set<std::string> keys() const {
        std::set<std::string> all;
        for (const auto& [key, value] : map.entries()) {
            all.insert(key);
        }
        return all;
    }
};

TEST(BoundedMap, what_there_is_room_for_stays) {
    for (const char* key : {"a", "b", "c", "a"}) {
        add(key, 1);
    }
    CHECK_EQUAL(kRoom, map.entries().size());
    CHECK_FALSE(map.left_out());
    CHECK_EQUAL(1, *map.find("a"));
    CHECK(map.find("d") == nullptr);
}

TEST(BoundedMap, of_more_those_with_the_lowest_hashes_stay_in_any_order) {
    std::vector<std::string> all;
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        all.emplace_back(1, letter);
    }
    std::set<std::string> lowest;
    std::vector<std::string> ordered = all;
    std::sort(ordered.begin(), ordered.end(), [](const auto& one, const auto& other) {
        return fixed_octet_hash(one) < fixed_octet_hash(other);
    });
    lowest.insert(ordered.begin(), ordered.begin() + kRoom);
    do {
        map.erase_if([](const std::string&, int) { return true; });
        for (const std::string& key : all) {
            add(key, key[0]);
        }
        CHECK(map.left_out());
        CHECK(keys() == lowest);
        std::rotate(all.begin(), all.begin() + 1, all.end());
    } while (all.front() != "a");
}

TEST(BoundedMap, who_has_to_go_is_seen_and_who_does_not_come_in_is_not) {
    std::vector<std::string> ordered{"a", "b", "c", "d", "e"};
    std::sort(ordered.begin(), ordered.end(), [](const auto& one, const auto& other) {
        return fixed_octet_hash(one) > fixed_octet_hash(other);
    });
    int value = 1;
    for (const std::string& key : ordered) {
        CHECK(add(key, value));
        value *= 10;
    }
    CHECK_EQUAL(11, gone);
    CHECK_FALSE(add(ordered[0], 7));
    CHECK_EQUAL(11, gone);
}

TEST(BoundedMap, what_is_erased_makes_room_for_any) {
    for (const char* key : {"a", "b", "c", "d", "e"}) {
        add(key, 1);
    }
    map.erase_if([](const std::string&, int) { return true; });
    CHECK_FALSE(map.left_out());
    for (const char* key : {"c", "d", "e"}) {
        CHECK(add(key, 2));
    }
    CHECK_EQUAL(kRoom, map.entries().size());
}

}  // namespace curlew::collector

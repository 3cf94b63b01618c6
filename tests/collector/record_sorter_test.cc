#include "collector/record_sorter.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::TemporaryFolder;

namespace {

using Record = std::pair<RecordOrder, std::string>;

RecordOrder at(uint64_t start_ns, uint8_t key = 0, uint32_t ordinal = 0, uint32_t number = 0) {
    RecordOrder order;
    order.flow_start_ns = start_ns;
    order.key[0] = key;
    order.flow_ordinal = ordinal;
    order.record_number = number;
    return order;
}

}  // namespace

TEST_GROUP(RecordSorter) {
    TemporaryFolder folder;

    std::vector<std::string> sorted(const std::vector<Record>& records, size_t memory_octets) {
        RecordSorter sorter(folder.path(), memory_octets);
        for (const auto& [order, octets] : records) {
            sorter.add(order, octets);
        }
        sorter.finish();
        std::vector<std::string> result;
        std::string_view octets;
        while (sorter.next(octets)) {
            result.emplace_back(octets);
        }
        return result;
    }
};

TEST(RecordSorter, sorts_by_start_then_key_then_ordinal_then_number) {
    const std::vector<Record> records{{at(2, 0, 0, 0), "e"},
                                      {at(1, 2, 0, 0), "d"},
                                      {at(1, 1, 1, 0), "c"},
                                      {at(1, 1, 0, 1), "b"},
                                      {at(1, 1, 0, 0), "a"}};
    CHECK(sorted(records, 1 << 20) == (std::vector<std::string>{"a", "b", "c", "d", "e"}));
}

TEST(RecordSorter, what_is_not_copied_may_go_when_it_was_let_go) {
    RecordSorter sorter(folder.path(), 1 << 20);
    std::string first = "bd";
    sorter.add_in_place(at(4), std::string_view(first).substr(1));
    sorter.add_in_place(at(2), std::string_view(first).substr(0, 1));
    sorter.let_go();
    first.assign("xx");
    const std::string second = "ace";
    sorter.add_in_place(at(5), std::string_view(second).substr(2));
    sorter.add(at(1), std::string("a"));
    sorter.add_in_place(at(3), std::string_view(second).substr(1, 1));
    sorter.finish();
    std::string all;
    for (std::string_view octets; sorter.next(octets);) {
        all += octets;
    }
    STRCMP_EQUAL("abcde", all.c_str());
}

TEST(RecordSorter, records_of_one_order_are_sorted_by_their_octets) {
    const std::vector<Record> records{{at(1), "b"}, {at(1), ""}, {at(1), "a"}, {at(1), "b"}};
    const std::vector<std::string> expected{"", "a", "b", "b"};
    CHECK(sorted(records, 1 << 20) == expected);
    CHECK(sorted(records, 1) == expected);
}

TEST(RecordSorter, nothing_gives_nothing) {
    CHECK(sorted({}, 100).empty());
}

TEST(RecordSorter, many_runs_give_what_memory_gives) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    std::vector<Record> records;
    std::vector<Record> expected;
    for (int i = 0; i < 500; ++i) {
        records.push_back({at(random() % 100, static_cast<uint8_t>(random() % 3)),
                           std::string(random() % 20, static_cast<char>('a' + random() % 26))});
    }
    expected = records;
    std::sort(expected.begin(), expected.end());
    // From one record a run, which merges in several passes, to everything in one.
    for (const size_t memory_octets : {1UL, 1000UL, 20'000UL, 1UL << 20}) {
        const std::vector<std::string> result = sorted(records, memory_octets);
        CHECK_EQUAL(expected.size(), result.size());
        for (size_t i = 0; i < result.size(); ++i) {
            CHECK_TEXT(expected[i].second == result[i], ("seed " + std::to_string(seed)).c_str());
        }
    }
}

TEST(RecordSorter, a_record_larger_than_all_memory_has_its_place) {
    const std::vector<Record> records{
        {at(3), "c"}, {at(2), std::string(10'000, 'b')}, {at(1), std::string(20'000, 'a')}};
    for (const size_t memory_octets : {1UL, 200UL, 10'050UL, 1UL << 20}) {
        const std::vector<std::string> result = sorted(records, memory_octets);
        CHECK_EQUAL(3u, result.size());
        CHECK(result[0] == records[2].second);
        CHECK(result[1] == records[1].second);
        CHECK(result[2] == records[0].second);
    }
}

TEST(RecordSorter, leaves_no_file) {
    RecordSorter sorter(folder.path(), 1);
    sorter.add(at(1), "a");
    sorter.add(at(2), "b");
    CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace curlew::collector

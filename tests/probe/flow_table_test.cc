#include "probe/flow_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <vector>

#include "probe/keyed_hash.h"
#include "proto/mapped_memory.h"
#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

FlowKey numbered(uint32_t number) {
    FlowKey key;
    key.low_address = {10,
                       static_cast<uint8_t>(number >> 16),
                       static_cast<uint8_t>(number >> 8),
                       static_cast<uint8_t>(number)};
    key.ip_version = 4;
    key.protocol = 17;
    return key;
}

// A hash that is spread well enough and easy to force.
uint64_t spread(uint32_t number) {
    return (number + 1) * 0x9e3779b97f4a7c15;
}

}  // namespace

TEST_GROUP(FlowTable) {
    std::vector<FlowTable::Bucket> buckets{std::vector<FlowTable::Bucket>(64)};
    std::vector<FlowHot> hot{std::vector<FlowHot>(128)};
    std::vector<FlowWarm> warm{std::vector<FlowWarm>(128)};
    FlowTable table{buckets, hot, warm};
};

TEST(FlowTable, finds_what_was_inserted_and_nothing_else) {
    const FlowIndex flow = table.insert(numbered(1), spread(1));
    CHECK_EQUAL(flow, table.find(numbered(1), spread(1)));
    CHECK_EQUAL(kNoFlow, table.find(numbered(2), spread(2)));
}

TEST(FlowTable, pages_come_with_flows_before_they_are_touched_and_no_more_than_these) {
    constexpr size_t kFlows = 16'384;
    constexpr size_t kPage = 4096;
    std::vector<FlowTable::Bucket> large_buckets(kFlows / 4);
    const curlew::proto::MappedMemory hot_memory(kFlows * sizeof(FlowHot), "test");
    const curlew::proto::MappedMemory warm_memory(kFlows * sizeof(FlowWarm), "test");
    FlowTable large(large_buckets,
                    {reinterpret_cast<FlowHot*>(hot_memory.data()), kFlows},
                    {reinterpret_cast<FlowWarm*>(warm_memory.data()), kFlows});
    // Else a system may give all of it at once.
    for (const auto* memory : {&hot_memory, &warm_memory}) {
        madvise(memory->data(), memory->octets(), MADV_NOHUGEPAGE);
    }
    const auto pages_of = [](const curlew::proto::MappedMemory& memory) {
        std::vector<unsigned char> resident(memory.octets() / kPage);
        CHECK_EQUAL(0, mincore(memory.data(), memory.octets(), resident.data()));
        return static_cast<size_t>(std::count(resident.begin(), resident.end(), 1));
    };
    CHECK_EQUAL(0u, pages_of(hot_memory));
    size_t most = 0;
    for (uint32_t flows = 1; flows <= kFlows; ++flows) {
        CHECK(large.insert(numbered(flows), spread(flows)) != kNoFlow);
        const size_t touched = (flows * sizeof(FlowHot) + kPage - 1) / kPage;
        const size_t resident = pages_of(hot_memory);
        CHECK(resident <= touched + std::clamp<size_t>(touched, 2, 16));
        most = std::max(most, resident - touched);
    }
    CHECK_EQUAL(15u, most);
    CHECK_EQUAL(kFlows * sizeof(FlowWarm) / kPage, pages_of(warm_memory));
}

TEST(FlowTable, flows_of_few_buckets_are_found_among_more) {
    constexpr uint32_t kFlows = 4'096;
    std::vector<FlowTable::Bucket> few(16);
    std::vector<FlowTable::Bucket> more(kFlows * 2 / FlowTable::kSlotsPerBucket);
    std::vector<FlowHot> hots(kFlows);
    std::vector<FlowWarm> warms(kFlows);
    FlowTable growing(more, hots, warms, few);
    const KeyedHash hash{KeyedHash::Key{1}};
    const auto is_used = [](const FlowTable::Bucket& bucket) {
        return std::count(bucket.tags, bucket.tags + FlowTable::kSlotsPerBucket, 0) !=
               FlowTable::kSlotsPerBucket;
    };
    std::vector<FlowIndex> flows;
    for (uint32_t i = 0; i < kFlows; ++i) {
        flows.push_back(growing.insert(numbered(i), hash(numbered(i))));
        CHECK(flows.back() != kNoFlow);
        // Half of the slots of the few.
        CHECK_EQUAL(i < 64, std::none_of(more.begin(), more.end(), is_used));
    }
    for (uint32_t i = 0; i < kFlows; ++i) {
        CHECK_EQUAL(flows[i], growing.find(numbered(i), hash(numbered(i))));
        growing.erase(flows[i], hash(numbered(i)));
    }
    CHECK(std::none_of(more.begin(), more.end(), is_used));
}

TEST(FlowTable, keys_of_one_hash_leave_few_buckets_when_these_are_full) {
    std::vector<FlowTable::Bucket> few(16);
    FlowTable growing(buckets, hot, warm, few);
    for (uint32_t i = 0; i < 16; ++i) {
        CHECK(growing.insert(numbered(i), 77) != kNoFlow);
    }
    // These collide wherever they are; a seventeenth has no room, and others do.
    CHECK_EQUAL(kNoFlow, growing.insert(numbered(16), 77));
    CHECK(growing.insert(numbered(17), spread(17)) != kNoFlow);
    for (uint32_t i = 0; i < 16; ++i) {
        CHECK(growing.find(numbered(i), 77) != kNoFlow);
    }
}

TEST(FlowTable, tells_two_keys_of_one_hash_apart) {
    const FlowIndex first = table.insert(numbered(1), 77);
    CHECK_EQUAL(kNoFlow, table.find(numbered(2), 77));
    const FlowIndex second = table.insert(numbered(2), 77);
    CHECK(first != second);
    CHECK_EQUAL(first, table.find(numbered(1), 77));
    CHECK_EQUAL(second, table.find(numbered(2), 77));
}

TEST(FlowTable, keys_of_one_hash_fill_two_buckets_and_no_more) {
    for (uint32_t i = 0; i < 16; ++i) {
        CHECK(table.insert(numbered(i), 77) != kNoFlow);
    }
    CHECK_EQUAL(kNoFlow, table.insert(numbered(16), 77));
    // Others still find room.
    CHECK(table.insert(numbered(17), spread(17)) != kNoFlow);
}

TEST(FlowTable, capacity_is_a_bound) {
    size_t inserted = 0;
    for (uint32_t i = 0; i < 1000; ++i) {
        inserted += table.insert(numbered(i), spread(i)) != kNoFlow ? 1u : 0u;
    }
    CHECK_EQUAL(table.capacity(), table.size());
    CHECK_EQUAL(inserted, table.size());
}

TEST(FlowTable, an_erased_flow_is_gone_and_its_room_used_again) {
    const FlowIndex flow = table.insert(numbered(1), spread(1));
    table.hot(flow).packets = {3, 4};
    table.erase(flow, spread(1));
    CHECK_EQUAL(kNoFlow, table.find(numbered(1), spread(1)));
    CHECK_EQUAL(0u, table.size());
    const FlowIndex again = table.insert(numbered(2), spread(2));
    CHECK_EQUAL(flow, again);
    CHECK_EQUAL(0u, table.hot(again).packets[0]);
}

TEST(FlowTable, of_full_buckets_what_is_not_established_goes_first_then_the_oldest) {
    for (uint32_t i = 0; i < 16; ++i) {
        FlowHot& flow = table.hot(table.insert(numbered(i), 77));
        flow.packets = {2, 2};
        flow.last_ns = 100 + i;
    }
    CHECK_EQUAL(table.find(numbered(0), 77), table.victim(77));
    table.hot(table.find(numbered(9), 77)).packets = {1, 0};
    CHECK_EQUAL(table.find(numbered(9), 77), table.victim(77));
    CHECK_EQUAL(32u, table.victim_steps());
}

TEST(FlowTable, a_full_table_gives_up_what_is_not_established_wherever_it_stands) {
    for (uint32_t i = 0; table.size() < table.capacity(); ++i) {
        const FlowIndex flow = table.insert(numbered(i), spread(i));
        if (flow != kNoFlow) {
            // A long run of established flows, and few others behind it.
            table.hot(flow).packets = {2, flow < 100 ? 2u : 0u};
        }
    }
    for (uint32_t i = 0; i < 1000; ++i) {
        CHECK(table.victim(spread(1'000'000 + i)) >= 100);
    }
    // 28 of 128 may go: one of 4.6.
    CHECK(table.victim_steps() < 6000);
}

TEST(FlowTable, of_only_established_flows_one_goes_after_a_bounded_search) {
    for (uint32_t i = 0; table.size() < table.capacity(); ++i) {
        const FlowIndex flow = table.insert(numbered(i), spread(i));
        if (flow != kNoFlow) {
            table.hot(flow).packets = {2, 2};
        }
    }
    CHECK(table.victim(spread(1'000'000)) < table.capacity());
    CHECK(table.victim_steps() <= FlowTable::kVictimSteps);
}

TEST(FlowTable, what_forged_senders_and_their_answers_make_is_not_established) {
    FlowHot flow;
    flow.packets = {1, 0};
    CHECK_FALSE(FlowTable::is_established(flow));
    // An answer to a forged SYN, sent again and again.
    flow.packets = {1, 6};
    CHECK_FALSE(FlowTable::is_established(flow));
    flow.packets = {0, 8};
    CHECK(FlowTable::is_established(flow));
    flow.packets = {2, 2};
    CHECK(FlowTable::is_established(flow));
    flow.state = kStateReset;
    CHECK_FALSE(FlowTable::is_established(flow));
    flow.packets = {0, 0};
    flow.state = kStateContinued;
    CHECK(FlowTable::is_established(flow));
}

TEST(FlowTable, below_capacity_nobody_is_in_the_way) {
    constexpr uint32_t kFlows = 65'536;
    std::vector<FlowTable::Bucket> many(kFlows * 2 / FlowTable::kSlotsPerBucket);
    std::vector<FlowHot> hots(kFlows);
    std::vector<FlowWarm> warms(kFlows);
    FlowTable large(many, hots, warms);
    const KeyedHash hash{KeyedHash::Key{1}};
    for (uint32_t i = 0; i < kFlows; ++i) {
        CHECK(large.insert(numbered(i), hash(numbered(i))) != kNoFlow);
    }
    for (uint32_t i = 0; i < kFlows; ++i) {
        CHECK(large.find(numbered(i), hash(numbered(i))) != kNoFlow);
    }
}

TEST(FlowTable, behaves_as_a_map_over_random_operations) {
    const uint64_t seed = 12345;
    uint64_t state = seed;
    const auto random = [&state] {
        state = state * 6364136223846793005 + 1442695040888963407;
        return static_cast<uint32_t>(state >> 33);
    };
    std::map<uint32_t, FlowIndex> model;
    for (int step = 0; step < 20'000; ++step) {
        const uint32_t number = random() % 200;
        const auto known = model.find(number);
        const FlowIndex found = table.find(numbered(number), spread(number));
        CHECK_EQUAL(known == model.end() ? kNoFlow : known->second, found);
        if (known != model.end()) {
            table.erase(known->second, spread(number));
            model.erase(known);
        } else {
            const FlowIndex flow = table.insert(numbered(number), spread(number));
            if (flow != kNoFlow) {
                model[number] = flow;
            }
        }
        CHECK_EQUAL(model.size(), table.size());
    }
}

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <string>

#include "probe/flow_summary.h"
#include "probe/keyed_hash.h"
#include "probe/worker.h"
#include "tests/support/floods.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// Ten times as many flows as the table holds, of which nothing comes, mixed with flows that go on.
// Cost is counted in steps, time is the packets': nothing here depends on the machine.

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

// As few flows as a worker has room for: 64 in each of 64 partitions.
constexpr uint64_t kCapacity = 4096;
constexpr auto kEvicted = static_cast<size_t>(FlowEndReason::lack_of_resources);

std::vector<Flood> all_floods() {
    std::vector<Flood> floods;
    for (size_t i = 0; i < static_cast<size_t>(Flood::count_); ++i) {
        floods.push_back(static_cast<Flood>(i));
    }
    return floods;
}

DispatcherConfig small_table(size_t workers) {
    DispatcherConfig config;
    config.worker.flow_capacity = kCapacity;
    config.workers = workers;
    return config;
}

// How many flows of this client have one record each, not evicted.
size_t intact(const Metered& metered, std::string_view client) {
    std::map<uint32_t, size_t> records;
    std::set<uint32_t> evicted;
    for (const proto::FlowSummary& record : metered.records) {
        if (record.initiator_address() == client) {
            ++records[record.initiator_port()];
            if (record.flow_end_reason() == proto::FLOW_END_REASON_LACK_OF_RESOURCES) {
                evicted.insert(record.initiator_port());
            }
        }
    }
    return static_cast<size_t>(
        std::count_if(records.begin(), records.end(), [&](const auto& record) {
            return record.second == 1 && !evicted.contains(record.first);
        }));
}

void check_ledger(const Metered& metered, size_t packets) {
    const MeterLedger& ledger = metered.ledger;
    uint64_t told = 0;
    for (const uint64_t count : ledger.packets.by_result) {
        told += count;
    }
    const uint64_t lost = ledger.port.packets_missed + ledger.port.packets_in_error +
                          ledger.port.packets_without_buffer +
                          ledger.packets.packets_lost_handing_over;
    CHECK_EQUAL(packets, ledger.port.packets_offered);
    CHECK_EQUAL(packets, told + ledger.port.packets_filtered + lost);
    CHECK_EQUAL(ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)],
                ledger.flows.packets);
    CHECK_EQUAL(ledger.flows.records_created, metered.records.size() + ledger.flows.records_lost);
    const FragmentCounters& fragments = ledger.fragments;
    CHECK_EQUAL(
        ledger.packets
            .by_note[static_cast<size_t>(std::countr_zero(static_cast<unsigned>(kNoteFragment)))],
        fragments.remembered + fragments.repeated + fragments.contradicted + fragments.joined +
            fragments.orphaned);
    uint64_t in_records = 0;
    for (const proto::FlowSummary& record : metered.records) {
        in_records += record.forward().packets() + record.reverse().packets();
    }
    CHECK_EQUAL(ledger.flows.packets, in_records);
}

// The table of fragments holds 4096 by default, and the flood is within its timeout.
void check_fragments(Flood flood, uint64_t flows, const FragmentCounters& counters) {
    const bool alone = flood == Flood::lone_fragments;
    const bool first = flood >= Flood::tiny_fragments && !alone;
    const bool both = flood == Flood::tiny_fragments || flood == Flood::overlapping_fragments;
    const char* name = name_of(flood);
    CHECK_EQUAL_TEXT(first ? flows : 0, counters.remembered, name);
    CHECK_EQUAL_TEXT(first ? flows - 4096 : 0, counters.evicted, name);
    CHECK_EQUAL_TEXT(0u, counters.repeated, name);
    CHECK_EQUAL_TEXT(
        flood == Flood::overlapping_fragments ? flows : 0, counters.contradicted, name);
    CHECK_EQUAL_TEXT(both ? flows : 0, counters.joined, name);
    CHECK_EQUAL_TEXT(alone ? flows : 0, counters.orphaned, name);
}

std::vector<std::string> as_octets(const Metered& metered) {
    std::vector<std::string> octets;
    for (const proto::FlowSummary& record : metered.records) {
        octets.push_back(record.SerializeAsString());
    }
    std::sort(octets.begin(), octets.end());
    return octets;
}

// A worker, and what its packets cost.
struct Driven {
    explicit Driven(const KeyedHash& keyed)
        : hash(keyed), worker({.flow_capacity = kCapacity}, 0, 1, test_inspector(), hash) {}

    void add(const Packet& packet) {
        ParsedPacket parsed;
        if (parse_packet(packet.view(), {}, parsed) != ParseResult::metered) {
            return;
        }
        const uint64_t value = hash(parsed.key);
        const uint64_t before = worker.victim_steps();
        worker.process({&parsed, 1}, {&value, 1});
        most_steps = std::max(most_steps, worker.victim_steps() - before);
        most_flows = std::max(most_flows, worker.flows());
        for (auto image = worker.records().front(); !image.empty();
             image = worker.records().front()) {
            proto::FlowSummary record;
            summarize(image, test_signatures(), record);
            records.push_back(record);
            worker.records().pop();
        }
    }

    // Records that ended before their time, of one client's flows.
    size_t evicted(std::string_view client) const {
        return static_cast<size_t>(
            std::count_if(records.begin(), records.end(), [&](const proto::FlowSummary& record) {
                return record.initiator_address() == client &&
                       record.flow_end_reason() == proto::FLOW_END_REASON_LACK_OF_RESOURCES;
            }));
    }

    KeyedHash hash;
    Worker worker;
    uint64_t most_steps = 0;  // of one packet
    size_t most_flows = 0;
    std::vector<proto::FlowSummary> records;
};

}  // namespace

TEST_GROUP(Floods){};

TEST(Floods, established_flows_stay_whole_and_every_packet_is_accounted_for) {
    for (const Flood flood : all_floods()) {
        const FloodPlan plan{.flood = flood};
        const FloodedLine line = flooded_line(plan);
        const Metered metered = meter(line.packets, small_table(1));
        check_ledger(metered, line.packets.size());
        check_fragments(flood, plan.flood_flows, metered.ledger.fragments);
        CHECK_TEXT(metered.flows.records_by_reason[kEvicted] >= 9 * kCapacity - 1000,
                   name_of(flood));
        // All of them: more than the 99 of 100 that are promised.
        CHECK_EQUAL_TEXT(plan.long_flows, intact(metered, kLongClient), name_of(flood));
        CHECK_EQUAL_TEXT(plan.begun_meanwhile, intact(metered, kMeanwhileClient), name_of(flood));
        CHECK_EQUAL_TEXT(plan.new_flows, intact(metered, kNewClient), name_of(flood));
    }
}

TEST(Floods, records_do_not_depend_on_the_number_of_workers) {
    const FloodedLine line = flooded_line({.flood = Flood::syn_answered, .flood_flows = 10'000});
    const Metered one = meter(line.packets, small_table(1));
    const Metered three = meter(line.packets, small_table(3));
    CHECK(one.flows.records_by_reason[kEvicted] > 5000);
    CHECK(as_octets(one) == as_octets(three));
}

TEST(Floods, within_a_second_of_its_end_new_flows_cost_what_they_did_before) {
    for (const Flood flood : {Flood::syn, Flood::syn_answered, Flood::incomplete_fragments}) {
        const FloodPlan plan{.flood = flood};
        const FloodedLine line = flooded_line(plan);
        Driven driven{KeyedHash(KeyedHash::Key{})};
        for (size_t i = 0; i < line.flood_end; ++i) {
            driven.add(line.packets[i]);
        }
        CHECK_TEXT(driven.most_flows <= kCapacity, name_of(flood));
        CHECK_TEXT(driven.most_steps <= FlowTable::kVictimSteps, name_of(flood));
        const uint64_t steps = driven.worker.victim_steps();
        for (size_t i = line.flood_end; i < line.packets.size(); ++i) {
            driven.add(line.packets[i]);
        }
        // What is left of the flood makes room at the first or second look.
        CHECK_TEXT(driven.worker.victim_steps() - steps <= 2 * plan.new_flows, name_of(flood));
        for (const std::string_view client : {kLongClient, kMeanwhileClient, kNewClient}) {
            CHECK_EQUAL_TEXT(0u, driven.evicted(client), name_of(flood));
        }
    }
}

TEST(Floods, keys_forced_into_one_place_cost_a_bounded_search_and_no_established_flow) {
    // All into the two buckets of one partition; into one bucket of each partition, and another
    // that the tag tells; into one partition.
    const FloodPlan plan{.long_flows = 8, .begun_meanwhile = 4, .new_flows = 0};
    const FloodedLine line = flooded_line(plan);
    for (const uint64_t kept : {uint64_t{0}, ~uint64_t{0} << 32, ~uint64_t{0} >> 6}) {
        Driven driven{KeyedHash(KeyedHash::Key{}, kept)};
        for (const Packet& packet : line.packets) {
            driven.add(packet);
        }
        CHECK(driven.most_steps <= FlowTable::kVictimSteps);
        CHECK(driven.records.size() > 9 * kCapacity);
        CHECK_EQUAL(0u, driven.evicted(kLongClient));
        CHECK_EQUAL(0u, driven.evicted(kMeanwhileClient));
        CHECK_EQUAL(line.packets.size(), driven.worker.counters().packets);
    }
}

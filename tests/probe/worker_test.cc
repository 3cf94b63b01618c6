#include "probe/worker.h"

#include <sys/mman.h>

#include <algorithm>
#include <deque>
#include <set>

#include "probe/keyed_hash.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

TEST_GROUP(Worker) {
    const KeyedHash hash{KeyedHash::Key{}};
    std::vector<Packet> packets;
    std::vector<ParsedPacket> parsed;
    std::vector<uint64_t> hashes;

    void add_datagram(uint16_t port) {
        packets.push_back(
            PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53).build());
    }

    void parse(const Packet& packet) {
        ParsedPacket& one = parsed.emplace_back();
        CHECK(parse_packet(packet.view(), {}, one) == ParseResult::metered);
        hashes.push_back(hash(one.key));
    }

    void parse() {
        for (const Packet& packet : packets) {
            parse(packet);
        }
    }
};

TEST(Worker, tables_stay_within_the_memory_that_they_are_given) {
    for (const bool details : {false, true}) {
        for (const uint64_t octets :
             {uint64_t{64} << 20, uint64_t{1000} << 20, uint64_t{1} << 30, uint64_t{5} << 30}) {
            WorkerConfig config;
            config.meter.details = details;
            config.flow_capacity = flow_capacity_in(octets, details);
            const Worker worker(config, 0, 1, test_inspector(), hash);
            CHECK(worker.memory_octets() <= octets);
            CHECK(worker.memory_octets() >= octets / 2);
        }
    }
}

TEST(Worker, no_memory_is_too_odd_for_the_tables_to_stay_within) {
    for (const bool details : {false, true}) {
        for (uint64_t octets = uint64_t{64} << 20; octets < uint64_t{6} << 30;
             octets += 3'333'333) {
            WorkerConfig config;
            config.meter.details = details;
            config.flow_capacity = flow_capacity_in(octets, details);
            CHECK(table_octets(config, 1) <= octets);
        }
    }
}

TEST(Worker, a_buffer_for_which_there_is_no_memory_is_refused_in_one_sentence) {
    WorkerConfig config;
    config.flow_capacity = 4096;
    config.recording.ring_octets = size_t{1} << 50;
    std::string told;
    try {
        const Worker worker(config, 0, 1, test_inspector(), hash);
    } catch (const std::runtime_error& error) {
        told = error.what();
    }
    STRCMP_CONTAINS("recording's buffer: 1073741824 MiB of memory are asked for, and",
                    told.c_str());
}

TEST(Worker, workers_share_the_memory_that_was_taken_for_them) {
    WorkerConfig config;
    config.meter.details = true;
    config.flow_capacity = 4096;
    curlew::proto::MappedMemory taken(table_octets(config, 3), "test");
    config.memory = &taken;
    std::deque<Worker> workers;
    for (size_t index = 0; index < 3; ++index) {
        workers.emplace_back(config, index, 3, test_inspector(), hash);
    }
    CHECK_EQUAL(0u, taken.octets());
    // One that was not counted on has memory all the same.
    workers.emplace_back(config, 0, 3, test_inspector(), hash);
    add_datagram(7);
    parse();
    const size_t owner = partition_of(hashes[0]) % 3;
    workers[owner].process(parsed, hashes);
    CHECK_EQUAL(1u, workers[owner].flows());
    CHECK(workers[3].memory_octets() >= workers[0].memory_octets());
}

TEST(Worker, meters_its_burst_and_ends_its_flows) {
    for (uint16_t port = 1; port <= 40; ++port) {
        add_datagram(port);
    }
    parse();
    Worker worker({}, 0, 1, test_inspector(), hash);
    worker.process(parsed, hashes);
    CHECK_EQUAL(40u, worker.counters().flows_created);
    CHECK_EQUAL(0u, worker.counters().records_created);
    worker.finish(1);
    CHECK_EQUAL(40u, worker.counters().records_created);
}

TEST(Worker, gives_back_what_flows_took_when_all_have_ended) {
    constexpr size_t kPage = 4096;
    WorkerConfig config;
    config.flow_capacity = 4096;
    curlew::proto::MappedMemory taken(table_octets(config, 1), "test");
    const uint8_t* const at = taken.data();
    const size_t octets = taken.octets();
    madvise(taken.data(), octets, MADV_NOHUGEPAGE);
    config.memory = &taken;
    Worker worker(config, 0, 1, test_inspector(), hash);
    for (uint16_t port = 1; port <= 1000; ++port) {
        add_datagram(port);
    }
    parse();
    const auto pages = [&] {
        std::vector<unsigned char> resident(octets / kPage);
        CHECK_EQUAL(0, mincore(const_cast<uint8_t*>(at), octets, resident.data()));
        return std::count(resident.begin(), resident.end(), 1);
    };
    const auto before = pages();
    for (size_t i = 0; i < parsed.size(); ++i) {
        worker.process({&parsed[i], 1}, {&hashes[i], 1});
    }
    const auto filled = pages();
    CHECK(filled > before + 300);
    worker.finish(1);
    CHECK_EQUAL(1000u, worker.counters().records_created);
    CHECK_EQUAL(0u, worker.flows());
    // But for buckets, and pages that parts share.
    CHECK(pages() < before + (filled - before) / 2);
}

TEST(Worker, every_partition_belongs_to_one_of_several_workers) {
    std::set<size_t> partitions;
    for (uint16_t port = 1; partitions.size() < kPartitions; ++port) {
        packets.clear();
        parsed.clear();
        hashes.clear();
        add_datagram(port);
        parse();
        partitions.insert(partition_of(hashes[0]));
        Worker worker({.flow_capacity = 1}, partition_of(hashes[0]) % 3, 3, test_inspector(), hash);
        worker.process(parsed, hashes);
        CHECK_EQUAL(1u, worker.counters().packets);
    }
}

TEST(Worker, is_swept_until_a_time_when_all_partitions_are) {
    // More flows are due in one partition than a tick ends.
    constexpr size_t kFlows = 40;
    for (uint16_t port = 1; parsed.size() < kFlows; ++port) {
        add_datagram(port);
        parse(packets.back());
        if (partition_of(hashes.back()) != 0) {
            parsed.pop_back();
            hashes.pop_back();
        }
    }
    Worker worker({}, 0, 1, test_inspector(), hash);
    const auto ticks = [&](size_t count, uint64_t now_ns) {
        for (size_t i = 0; i < count; ++i) {
            worker.tick(now_ns);
        }
        return worker.swept_ns();
    };
    CHECK_EQUAL(0u, ticks(kPartitions - 1, 5));
    CHECK_EQUAL(5u, ticks(1, 9));
    CHECK_EQUAL(5u, ticks(kPartitions - 1, 9));
    CHECK_EQUAL(9u, ticks(1, 9));
    for (size_t i = 0; i < kFlows; ++i) {
        parsed[i].time_ns = 1'000'000'000;
        worker.process({&parsed[i], 1}, {&hashes[i], 1});
    }
    constexpr uint64_t kDue = 200'000'000'000;
    CHECK(ticks(kPartitions, kDue) < kDue);
    CHECK(worker.counters().records_created < kFlows);
    CHECK_EQUAL(kDue, ticks(kPartitions, kDue));
    CHECK_EQUAL(kFlows, worker.counters().records_created);
    worker.finish(kDue);
    CHECK(worker.swept_ns() > kDue);
}

TEST(Worker, ticks_end_idle_flows_of_every_partition) {
    for (uint16_t port = 1; port <= 400; ++port) {
        add_datagram(port);
    }
    parse();
    Worker worker({}, 0, 1, test_inspector(), hash);
    for (size_t i = 0; i < parsed.size(); ++i) {
        parsed[i].time_ns = 1'000'000'000;
        worker.process({&parsed[i], 1}, {&hashes[i], 1});
    }
    // The timeout is 60 s, the sweep's margin 5 s.
    for (size_t i = 0; i < 10 * kPartitions; ++i) {
        worker.tick(66'000'000'000);
    }
    CHECK_EQUAL(0u, worker.counters().records_created);
    for (size_t i = 0; i < 10 * kPartitions; ++i) {
        worker.tick(68'000'000'000);
    }
    CHECK_EQUAL(400u, worker.counters().records_created);
    CHECK_EQUAL(400u, worker.counters().records_by_reason[1]);
}

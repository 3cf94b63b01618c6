#include <algorithm>
#include <memory>
#include <vector>

#include "probe/arrival_clock.h"
#include "probe/flow_summary.h"
#include "probe/fragment_table.h"
#include "probe/keyed_hash.h"
#include "probe/packet_parser.h"
#include "probe/worker.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/metering.h"

// Input: one octet which hash is used, then packets one after the other. Each: one octet for the
// time since the one before, in seconds, one for what is changed of it, two for its length, then
// the octets from the Ethernet header on.

namespace curlew {

namespace {

// All of it, or all keys in two buckets, in one of each partition, in one partition.
constexpr uint64_t kKept[] = {~uint64_t{0}, 0, ~uint64_t{0} << 32, ~uint64_t{0} >> 6};

// Each looks after one partition and ends at most 32 flows, of at most 64.
constexpr size_t kTicks = 4 * probe::kPartitions;

struct Totals {
    uint64_t packets = 0;
    uint64_t records = 0;
};

void take_records(probe::Worker& worker, Totals& totals) {
    static proto::FlowSummary record;
    for (auto image = worker.records().front(); !image.empty(); image = worker.records().front()) {
        probe::summarize(image, tests::test_signatures(), record);
        totals.packets += record.forward().packets() + record.reverse().packets();
        ++totals.records;
        require(record.flow_start_ns() <= record.flow_end_ns());
        worker.records().pop();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzInput input(data, size);
    const probe::KeyedHash hash(probe::KeyedHash::Key{1}, kKept[input.octet() % 4]);
    probe::FragmentTable fragments({.capacity = 16}, probe::KeyedHash::Key{2});
    const probe::WorkerConfig config{
        .meter = {.timeouts = {}, .details = true, .list = {}, .wait_for_ring = false},
        .flow_capacity = 1,
        .record_ring_octets = size_t{2} << 20};
    probe::Worker worker(config, 0, 1, tests::test_inspector(), hash);
    Totals totals;
    uint64_t metered = 0;
    uint64_t fragmented = 0;
    probe::ArrivalClock clock;
    uint64_t time_ns = 1'000'000'000;
    while (!input.empty()) {
        time_ns += input.octet() * uint64_t{1'000'000'000};
        const uint8_t change = input.octet();
        const auto octets = input.octets(input.two_octets() & 0x7ff);
        // A copy of its own, so that the sanitizer sees a read past the end.
        const auto copy = std::make_unique<uint8_t[]>(octets.size());
        std::copy(octets.begin(), octets.end(), copy.get());
        // The same packet from other senders, many times: what fills a table.
        const uint32_t times = octets.size() > 30 && (change & 3) == 3 ? 40 : 1;
        for (uint32_t i = 0; i < times; ++i) {
            if (times > 1) {
                copy[26] = static_cast<uint8_t>(copy[26] + 1);
            }
            probe::ParsedPacket parsed;
            const probe::PacketView packet{
                .data = octets.empty() ? nullptr : copy.get(),
                .time_ns = time_ns + (change & 4) * uint64_t{1'000'000} * i,
                .captured_octets = static_cast<uint32_t>(octets.size()),
                .wire_octets = static_cast<uint32_t>(octets.size()) + (change >> 3)};
            if (probe::parse_packet(packet, {}, parsed) != probe::ParseResult::metered) {
                continue;
            }
            parsed.arrival_ns = clock.advance(parsed.time_ns);
            ++metered;
            if ((parsed.notes & probe::kNoteFragment) != 0) {
                ++fragmented;
                fragments.resolve(parsed);
            }
            const uint64_t value = hash(parsed.key);
            const uint64_t steps = worker.victim_steps();
            worker.process({&parsed, 1}, {&value, 1});
            require(worker.victim_steps() - steps <= probe::FlowTable::kVictimSteps);
        }
        take_records(worker, totals);
    }
    // finish() would wait for a ring that nobody empties; every flow is idle by now.
    for (size_t i = 0; i < kTicks; ++i) {
        worker.tick(time_ns + uint64_t{1'000'000'000'000});
        take_records(worker, totals);
    }
    require(worker.flows() == 0);
    const probe::FlowCounters counters = worker.counters();
    require_ledger(counters.packets == metered);
    require_ledger(counters.records_created == totals.records + counters.records_lost);
    require_ledger(counters.records_lost != 0 || counters.packets == totals.packets);
    const probe::FragmentCounters& counted = fragments.counters();
    require_ledger(fragmented == counted.remembered + counted.repeated + counted.contradicted +
                                     counted.joined + counted.orphaned);
    return 0;
}

}  // namespace curlew

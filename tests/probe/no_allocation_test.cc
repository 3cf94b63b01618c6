#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "probe/fragment_table.h"
#include "probe/worker.h"
#include "tests/support/floods.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/quic_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// Counts every call of the malloc family in this program, whoever makes it. A program of its own:
// sanitizers and CppUTest's leak detection interpose the same functions.

extern "C" {
void* __libc_malloc(size_t octets);
void* __libc_calloc(size_t count, size_t octets);
void* __libc_realloc(void* memory, size_t octets);
void* __libc_memalign(size_t alignment, size_t octets);
}

namespace {
std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};

void count() {
    if (counting.load(std::memory_order_relaxed)) {
        allocations.fetch_add(1, std::memory_order_relaxed);
    }
}
}  // namespace

extern "C" {
void* malloc(size_t octets) noexcept {
    count();
    return __libc_malloc(octets);
}
void* calloc(size_t number, size_t octets) noexcept {
    count();
    return __libc_calloc(number, octets);
}
void* realloc(void* memory, size_t octets) noexcept {
    count();
    return __libc_realloc(memory, octets);
}
void* aligned_alloc(size_t alignment, size_t octets) noexcept {
    count();
    return __libc_memalign(alignment, octets);
}
int posix_memalign(void** memory, size_t alignment, size_t octets) noexcept {
    count();
    *memory = __libc_memalign(alignment, octets);
    return *memory == nullptr ? 12 : 0;
}
}

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Flows that begin, go on, are cut and expire; names, also out of QUIC's cipher, merged segments, a
// full table.
std::vector<Packet> busy_hour() {
    std::vector<Packet> packets;
    const Octets question =
        from_hex("1234 0100 0001 0000 0000 0000 056b6e6f776e 076578616d706c65 00 0001 0001");
    const Octets initial = sealed_initial(quic_connection(1, {1, 2, 3, 4, 5, 6, 7, 8}),
                                          crypto_frame(0, client_hello_for("example.org")));
    for (uint32_t i = 0; i < 30'000; ++i) {
        const uint64_t time_ns = i * kSecond / 80;
        const auto port = static_cast<uint16_t>(1000 + i * 7919 % 20'000);
        PacketBuilder builder;
        builder.ethernet().ipv4("10.0.0.1", "10.0.0.2").time_ns(time_ns);
        if (i % 50 == 0) {
            builder.udp(port, 443).payload(initial);
        } else if (i % 3 == 0) {
            builder.udp(port, 53).payload(question);
        } else if (i % 3 == 1) {
            builder.tcp(port, 443).flags(i % 2 == 0 ? "S" : "PA").payload(Octets(1400, 0x17));
        } else {
            builder.tcp(port, 80).flags("FA").payload("x");
        }
        packets.push_back(builder.build());
    }
    return packets;
}

}  // namespace

TEST_GROUP(NoAllocation){};

TEST(NoAllocation, the_counting_itself_works) {
    allocations = 0;
    counting = true;
    std::vector<int>* made = new std::vector<int>(100);
    counting = false;
    delete made;
    CHECK_EQUAL(2u, allocations.load());
}

TEST(NoAllocation, a_worker_allocates_nothing_once_it_exists) {
    const std::vector<Packet> packets = busy_hour();
    const KeyedHash hash{KeyedHash::Key{}};
    // Room for every flow that is left at the end: nobody empties the ring then.
    const WorkerConfig config{.flow_capacity = 1, .record_ring_octets = size_t{64} << 20};
    Worker worker(config, 0, 1, test_inspector(), hash);
    ParsedPacket parsed;
    uint64_t records = 0;
    allocations = 0;
    counting = true;
    for (const Packet& packet : packets) {
        if (parse_packet(packet.view(), {}, parsed) == ParseResult::metered) {
            const uint64_t value = hash(parsed.key);
            worker.process({&parsed, 1}, {&value, 1});
        }
        worker.tick(packet.time_ns);
        while (!worker.records().front().empty()) {
            worker.records().pop();
            ++records;
        }
    }
    worker.finish(0);
    counting = false;
    CHECK_EQUAL(0u, allocations.load());
    CHECK(records > 1000);
    const auto evicted = static_cast<size_t>(FlowEndReason::lack_of_resources);
    CHECK(worker.counters().records_by_reason[evicted] > 0);
    CHECK(worker.counters().list_shortages > 0);
}

TEST(NoAllocation, nor_under_any_flood) {
    const KeyedHash hash{KeyedHash::Key{}};
    for (size_t kind = 0; kind < static_cast<size_t>(Flood::count_); ++kind) {
        const auto flood = static_cast<Flood>(kind);
        const FloodedLine line = flooded_line({.flood = flood});
        FragmentTable fragments({}, KeyedHash::Key{});
        Worker worker({.flow_capacity = 1}, 0, 1, test_inspector(), hash);
        ParsedPacket parsed;
        allocations = 0;
        counting = true;
        for (const Packet& packet : line.packets) {
            if (parse_packet(packet.view(), {}, parsed) == ParseResult::metered) {
                if ((parsed.notes & kNoteFragment) != 0) {
                    fragments.resolve(parsed);
                }
                const uint64_t value = hash(parsed.key);
                worker.process({&parsed, 1}, {&value, 1});
            }
            while (!worker.records().front().empty()) {
                worker.records().pop();
            }
        }
        counting = false;
        CHECK_EQUAL_TEXT(0u, allocations.load(), name_of(flood));
        CHECK_TEXT(worker.counters().flows_created > 40'000, name_of(flood));
    }
}

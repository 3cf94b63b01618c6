#include "cli/bench_port.h"

#include <algorithm>
#include <array>
#include <set>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::cli;
namespace probe = curlew::probe;

TEST_GROUP(BenchPort){};

TEST(BenchPort, new_senders_make_each_packet_a_flow) {
    const BenchPackets packets = BenchPackets::of_udp(10, 64, 4096);
    const BenchWorkload workload{"new", 0, 100, FrameVariation::new_sender};
    BenchPort port(packets, workload, {1 << 20, 1, 1});
    std::array<probe::PacketView, probe::kMaximumBurst> burst;
    std::set<std::array<uint8_t, 4>> senders;
    uint64_t last_ns = 0;
    for (int i = 0; i < 100; ++i) {
        LONGS_EQUAL(probe::kMaximumBurst, port.receive(burst));
        for (const probe::PacketView& view : burst) {
            // A burst's frames may be one another's; who sent is read when the frame comes.
            CHECK(view.time_ns > last_ns);
            last_ns = view.time_ns;
        }
        std::array<uint8_t, 4> sender;
        std::copy(burst[63].data + 26, burst[63].data + 30, sender.begin());
        senders.insert(sender);
        port.release();
    }
    LONGS_EQUAL(100, senders.size());
}

TEST(BenchPort, rounds_begin_after_the_warm_up_and_the_last_one_ends_the_port) {
    const BenchPackets packets = BenchPackets::of_udp(10, 64, 4096);
    const BenchWorkload workload;
    BenchPort port(packets, workload, {1'000, 3, 0.002});
    std::array<probe::PacketView, probe::kMaximumBurst> burst;
    uint64_t received = 0;
    while (port.state() == probe::PortState::running) {
        received += port.receive(burst);
        port.release();
    }
    LONGS_EQUAL(3, port.rounds().size());
    uint64_t in_rounds = 0;
    for (const BenchRound& round : port.rounds()) {
        CHECK(round.packets > 0);
        CHECK(round.seconds >= 0.002);
        in_rounds += round.packets;
    }
    CHECK(in_rounds + 1'000 <= received);
    LONGS_EQUAL(received, port.counters().packets_offered);
    LONGS_EQUAL(0, port.receive(burst));
}

#include "cli/bench_port.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <vector>

#include "probe/packet_parser.h"
#include "probe/scripted_port.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::cli;
namespace probe = curlew::probe;

TEST_GROUP(BenchPort){};

TEST(BenchPort, new_senders_make_each_packet_a_flow) {
    const BenchPackets packets = BenchPackets::of_udp(10, 64, 4096);
    const BenchWorkload workload{"new", 0, 100, FrameVariation::new_sender};
    MemoryPort port(packets, workload);
    port.begin({1 << 20, 1, 1});
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
    MemoryPort port(packets, workload);
    port.begin({1'000, 3, 0.002});
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

namespace {

// All of a turn, as who is low and who is high.
std::vector<probe::FlowKey> keys_of_turn(BenchPort& port, size_t packets) {
    std::vector<probe::FlowKey> keys;
    std::array<probe::PacketView, probe::kMaximumBurst> burst;
    while (keys.size() < packets) {
        const size_t count = port.receive(burst);
        for (size_t i = 0; i < count; ++i) {
            probe::ParsedPacket packet;
            CHECK(probe::ParseResult::metered == parse_packet(burst[i], {}, packet));
            keys.push_back(packet.key);
        }
        port.release();
    }
    return keys;
}

}  // namespace

TEST(BenchPort, the_next_set_of_clients_has_other_flows_until_the_first_is_due_again) {
    constexpr size_t kFlows = 64;
    const BenchPackets packets = BenchPackets::of_udp(kFlows, 64, 2 * kFlows * 64);
    const size_t turn = packets.order().size();
    LONGS_EQUAL(2 * kFlows, turn);
    BenchWorkload workload;
    workload.client_sets = 3;
    MemoryPort port(packets, workload);
    port.begin({1 << 20, 1, 1});
    std::vector<std::vector<probe::FlowKey>> turns;
    for (int i = 0; i < 6; ++i) {
        turns.push_back(keys_of_turn(port, turn));
    }
    CHECK(turns[0] != turns[1]);
    CHECK(turns[1] != turns[2]);
    CHECK(turns[0] == turns[3]);
    CHECK(turns[2] == turns[5]);
    // Both directions of a flow have the same client.
    for (const auto& keys : turns) {
        for (const probe::FlowKey& key : keys) {
            LONGS_EQUAL(2, std::count(keys.begin(), keys.end(), key));
        }
    }
}

TEST(BenchPort, over_a_device_the_same_packets_come_as_out_of_memory) {
    const BenchPackets packets = BenchPackets::of_udp(64, 64, 64 * 64);
    // What the device plays, in the pool's order and never changed in it.
    std::vector<probe::ScriptedPacket> played;
    for (int turn = 0; turn < 4; ++turn) {
        for (const uint32_t index : packets.order()) {
            const BenchPackets::Frame& frame = packets.frames()[index];
            const uint8_t* octets = packets.octets(frame);
            played.push_back({0, {octets, octets + frame.octets}});
        }
    }
    BenchWorkload workload;
    workload.client_sets = 2;
    DevicePort device(packets, workload, std::make_shared<probe::ScriptedPort>(played));
    device.begin({1 << 20, 1, 1});
    std::vector<probe::FlowKey> from_device = keys_of_turn(device, 4 * packets.order().size());
    MemoryPort memory(packets, workload);
    memory.begin({1 << 20, 1, 1});
    CHECK(from_device == keys_of_turn(memory, 4 * packets.order().size()));
}

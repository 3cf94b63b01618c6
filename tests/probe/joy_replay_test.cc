#include "probe/joy_replay.h"

#include <thread>
#include <vector>

#include "probe/replay_port.h"
#include "tests/probe/capture_blocks.h"
#include "tests/support/metering.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;
using curlew::tests::port_of;
namespace proto = curlew::proto;

namespace {

Packet udp(uint16_t port, const std::string& payload = "x") {
    return PacketBuilder{}.ethernet().ipv4().udp(port, 7).payload(payload).time_ns(port).build();
}

std::vector<proto::FlowSummary> taken(ByteRing& ring) {
    std::vector<proto::FlowSummary> records;
    for (auto octets = ring.front(); !octets.empty(); octets = ring.front()) {
        CHECK_TRUE(
            records.emplace_back().ParseFromArray(octets.data(), static_cast<int>(octets.size())));
        ring.pop();
    }
    return records;
}

}  // namespace

TEST_GROUP(JoyReplay){};

TEST(JoyReplay, hands_on_each_record_and_closes_the_ledger) {
    const auto port =
        port_of({udp(1), udp(2), PacketBuilder{}.ethernet().ipv6().udp(1, 2).build()});
    JoyReplay replay({}, *port);
    replay.run();
    const auto records = taken(replay.records());
    CHECK_EQUAL(2u, records.size());
    CHECK_EQUAL(2u, records[1].initiator_port());
    const MeterLedger ledger = replay.ledger();
    CHECK_EQUAL(3u, ledger.port.packets_offered);
    CHECK_EQUAL(2u, ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)]);
    uint64_t not_metered = 0;
    for (const auto& [reason, packets] : ledger.not_metered) {
        not_metered += packets;
    }
    CHECK_EQUAL(1u, not_metered);
    CHECK_EQUAL(58u, ledger.packets.octets_metered);
    CHECK_EQUAL(2u, ledger.flows.records_created);
    CHECK_EQUAL(2u, ledger.flows.records_by_reason[4]);
}

TEST(JoyReplay, tells_when_the_capture_lost_packets) {
    const CaptureFolder folder;
    ReplayPort port(
        folder.write("a",
                     section() + interface(kEthernet, 9) + enhanced_packet(7, Octets(60, 0)) +
                         block(5, Octets(12, 0) + little(5, 2) + little(8, 2) + little(9, 8))));
    JoyReplay replay({}, port);
    replay.run();
    const MeterLedger ledger = replay.ledger();
    CHECK_EQUAL(9u, ledger.port.packets_missed);
    CHECK_EQUAL(1u, ledger.losses.size());
    CHECK_EQUAL(9u, ledger.losses[0].lost);
    CHECK_EQUAL(7u, ledger.losses[0].to_ns);
}

TEST(JoyReplay, does_not_depend_on_the_size_of_bursts) {
    std::vector<Packet> packets;
    for (uint16_t port = 1; port <= 130; ++port) {
        packets.push_back(udp(port));
    }
    std::vector<std::string> texts;
    for (const size_t burst : {size_t{1}, size_t{64}}) {
        const auto port = port_of(packets, burst);
        JoyReplay replay({}, *port);
        replay.run();
        std::string& text = texts.emplace_back();
        for (const proto::FlowSummary& record : taken(replay.records())) {
            text += record.SerializeAsString();
        }
    }
    CHECK_TRUE(!texts[0].empty() && texts[0] == texts[1]);
}

TEST(JoyReplay, waits_for_room) {
    std::vector<Packet> packets;
    for (uint16_t port = 1; port <= 4000; ++port) {
        packets.push_back(udp(port, std::string(1200, 'x')));
    }
    const auto port = port_of(packets);
    JoyReplay replay({}, *port);
    std::atomic<bool> done{false};
    size_t records = 0;
    std::thread exporter([&] {
        while (!done || !replay.records().front().empty()) {
            records += taken(replay.records()).size();
            std::this_thread::yield();
        }
    });
    replay.run();
    done = true;
    exporter.join();
    CHECK_EQUAL(4000u, records);
}

TEST(JoyReplay, tells_an_input_that_broke_off) {
    const auto port = port_of({udp(1)}, 1, PortState::broken, "cut in the middle");
    JoyReplay replay({}, *port);
    replay.run();
    STRCMP_EQUAL("cut in the middle", replay.ledger().capture_warning.c_str());
    CHECK_EQUAL(1u, taken(replay.records()).size());
}

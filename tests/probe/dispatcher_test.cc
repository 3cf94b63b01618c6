#include "probe/dispatcher.h"

#include <numeric>
#include <thread>

#include "probe/scripted_port.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

uint64_t sum(const PacketCounters& counters) {
    return std::accumulate(counters.by_result.begin(), counters.by_result.end(), uint64_t{0});
}

uint64_t count(const PacketCounters& counters, ParseResult result) {
    return counters.by_result[static_cast<size_t>(result)];
}

Packet datagram_from(uint16_t port, uint64_t time_ns, std::string_view payload = "x") {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .udp(port, 53)
        .payload(payload)
        .time_ns(time_ns)
        .build();
}

// What stands between parser and table: ARP, a torn header, a version that is none.
std::vector<Packet> mixed_packets() {
    std::vector<Packet> packets;
    for (uint16_t i = 0; i < 200; ++i) {
        packets.push_back(datagram_from(static_cast<uint16_t>(i % 7), i));
        packets.push_back(
            PacketBuilder{}.ethernet().ethertype(0x0806).payload("arp").time_ns(i).build());
        packets.push_back(datagram_from(i, i).captured(20));
        packets.push_back(PacketBuilder{}.ipv4("10.0.0.1", "10.0.0.2").length(3).build());
    }
    return packets;
}

}  // namespace

TEST_GROUP(Dispatcher){};

TEST(Dispatcher, every_packet_offered_is_metered_or_has_a_reason) {
    for (const size_t workers : {size_t{1}, size_t{3}}) {
        DispatcherConfig config;
        config.workers = workers;
        const Metered metered = meter(mixed_packets(), config);
        CHECK_EQUAL(800u, sum(metered.packets));
        CHECK_EQUAL(200u, count(metered.packets, ParseResult::metered));
        CHECK_EQUAL(200u, count(metered.packets, ParseResult::not_ip));
        CHECK_EQUAL(200u, count(metered.packets, ParseResult::ip_header_truncated));
        CHECK_EQUAL(200u, count(metered.packets, ParseResult::ip_header_malformed));
        CHECK_EQUAL(200u, metered.flows.packets);
        CHECK_EQUAL(metered.flows.records_created, metered.records.size());
    }
}

TEST(Dispatcher, records_hold_every_metered_packet_once) {
    std::vector<Packet> packets;
    for (uint32_t i = 0; i < 20'000; ++i) {
        packets.push_back(datagram_from(static_cast<uint16_t>(i % 999), i));
    }
    for (const size_t workers : {size_t{1}, size_t{2}, size_t{5}}) {
        DispatcherConfig config;
        config.workers = workers;
        uint64_t held = 0;
        for (const auto& record : meter(packets, config).records) {
            held += record.forward().packets() + record.reverse().packets();
        }
        CHECK_EQUAL(20'000u, held);
    }
}

TEST(Dispatcher, a_packet_longer_than_a_batch_reaches_its_worker) {
    DispatcherConfig config;
    config.workers = 2;
    Packet packet = datagram_from(7, 1);
    packet.octets.resize(200'000, 0xab);
    packet.wire_octets = 200'000;
    const Metered metered = meter({packet, datagram_from(8, 2)}, config);
    CHECK_EQUAL(2u, metered.records.size());
}

TEST(Dispatcher, packets_seen_before_the_input_broke_are_metered) {
    ScriptedPort port({{1, datagram_from(7, 1).octets}}, 1, PortState::broken, "torn");
    Dispatcher dispatcher({}, {&port}, test_inspector());
    dispatcher.run({});
    CHECK_EQUAL(1u, dispatcher.ledger().flows.records_created);
    CHECK_EQUAL(std::string("torn"), dispatcher.ledger().capture_warning);
    CHECK_FALSE(dispatcher.record_rings()[0]->front().empty());
}

// Queues of one device tell the same.
TEST(Dispatcher, each_fault_is_told_once) {
    ScriptedPort first({}, 1, PortState::broken, "eth1: gone");
    ScriptedPort second({}, 1, PortState::broken, "eth1: gone");
    ScriptedPort other({}, 1, PortState::broken, "eth2: torn");
    DispatcherConfig config;
    config.workers = 3;
    Dispatcher dispatcher(config, {&first, &second, &other}, test_inspector());
    dispatcher.run({});
    CHECK_EQUAL(std::string("eth1: gone; eth2: torn"), dispatcher.ledger().capture_warning);
}

TEST(Dispatcher, an_input_without_packets_gives_no_record) {
    for (const size_t workers : {size_t{1}, size_t{4}}) {
        DispatcherConfig config;
        config.workers = workers;
        const Metered metered = meter({}, config);
        CHECK_EQUAL(0u, metered.records.size());
        CHECK_EQUAL(0u, metered.flows.flows_created);
    }
}

TEST(Dispatcher, one_that_never_ran_can_go) {
    DispatcherConfig config;
    config.workers = 3;
    ScriptedPort port({});
    Dispatcher dispatcher(config, {&port}, test_inspector());
    CHECK_EQUAL(3u, dispatcher.record_rings().size());
}

TEST(Dispatcher, the_time_span_is_that_of_all_packets) {
    const Metered metered =
        meter({datagram_from(1, 70), datagram_from(2, 50), datagram_from(3, 60)});
    CHECK_EQUAL(50u, metered.packets.first_packet_ns);
    CHECK_EQUAL(70u, metered.packets.last_packet_ns);
}

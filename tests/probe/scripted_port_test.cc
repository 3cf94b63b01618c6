#include "probe/scripted_port.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::probe::kMaximumBurst;
using curlew::probe::LinkType;
using curlew::probe::PacketView;
using curlew::probe::PortState;
using curlew::probe::ScriptedPacket;
using curlew::probe::ScriptedPort;

namespace {

std::vector<ScriptedPacket> one_a_second(size_t count) {
    std::vector<ScriptedPacket> packets;
    for (size_t i = 0; i < count; ++i) {
        packets.push_back({.time_ns = (i + 1) * 1'000'000'000, .octets = {1, 2, 3, 4}});
    }
    return packets;
}

}  // namespace

TEST_GROUP(ScriptedPort) {
    std::array<PacketView, kMaximumBurst> burst;
};

TEST(ScriptedPort, hands_out_packets_as_told) {
    ScriptedPort port(
        {{.time_ns = 7, .octets = {0x45, 0x00}, .wire_octets = 1500, .link = LinkType::raw_ip}});
    CHECK_EQUAL(1, port.receive(burst));
    CHECK_EQUAL(7, burst[0].time_ns);
    CHECK_EQUAL(2, burst[0].captured_octets);
    CHECK_EQUAL(1500, burst[0].wire_octets);
    CHECK_EQUAL(0x45, burst[0].data[0]);
    CHECK(burst[0].link == LinkType::raw_ip);
    port.release();
}

TEST(ScriptedPort, wire_length_is_the_captured_one_unless_told) {
    ScriptedPort port(one_a_second(1));
    port.receive(burst);
    CHECK_EQUAL(4, burst[0].wire_octets);
    port.release();
}

TEST(ScriptedPort, bursts_have_the_size_told) {
    ScriptedPort port(one_a_second(5), 2);
    CHECK_EQUAL(2, port.receive(burst));
    port.release();
    CHECK_EQUAL(2, port.receive(burst));
    port.release();
    DOUBLES_EQUAL(0.8, port.progress(), 0.001);
    CHECK(port.state() == PortState::running);
    CHECK_EQUAL(1, port.receive(burst));
    port.release();
    CHECK(port.state() == PortState::ended);
    CHECK_EQUAL(0, port.receive(burst));
}

TEST(ScriptedPort, clock_follows_packets_and_can_be_set) {
    ScriptedPort port(one_a_second(2), 1);
    CHECK_EQUAL(0, port.now_ns());
    port.receive(burst);
    port.release();
    CHECK_EQUAL(1'000'000'000, port.now_ns());
    port.set_clock(90'000'000'000);
    CHECK_EQUAL(90'000'000'000, port.now_ns());
    port.receive(burst);
    port.release();
    CHECK_EQUAL(2'000'000'000, port.now_ns());
}

TEST(ScriptedPort, quiet_line_keeps_running) {
    ScriptedPort port({}, 1, PortState::running);
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::running);
}

TEST(ScriptedPort, breaks_with_its_fault_after_the_last_packet) {
    ScriptedPort port(one_a_second(1), 1, PortState::broken, "the cable is out");
    CHECK(port.state() == PortState::running);
    CHECK_EQUAL(std::string(), port.fault());
    port.receive(burst);
    port.release();
    CHECK(port.state() == PortState::broken);
    CHECK_EQUAL(std::string("the cable is out"), port.fault());
}

TEST(ScriptedPort, counts_what_it_handed_out_and_lost) {
    ScriptedPort port(one_a_second(3));
    port.receive(burst);
    port.release();
    port.lose(2, 120);
    CHECK_EQUAL(5, port.counters().packets_offered);
    CHECK_EQUAL(132, port.counters().octets_offered);
    CHECK_EQUAL(2, port.counters().packets_missed);
    CHECK_EQUAL(0, port.counters().packets_filtered);
}

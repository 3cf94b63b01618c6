#include "dpdk_port/dpdk_device.h"

#include <rte_ethdev.h>
#include <rte_ring.h>

#include <array>
#include <ctime>
#include <stdexcept>

#include "tests/dpdk_port/captures.h"
#include "tests/dpdk_port/test_eal.h"
#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

using probe::kMaximumBurst;
using probe::PacketView;
using probe::PortState;
using test::Octets;

struct Seen {
    uint64_t time_ns;
    Octets octets;
    uint32_t wire_octets;
};

// Until nothing more comes: a capture is at hand as a whole.
std::vector<Seen> all_of(probe::Port& port) {
    std::vector<Seen> seen;
    std::array<PacketView, kMaximumBurst> burst;
    for (size_t count = port.receive(burst); count > 0; count = port.receive(burst)) {
        for (const PacketView& packet : std::span(burst).first(count)) {
            seen.push_back({packet.time_ns,
                            Octets(packet.data, packet.data + packet.captured_octets),
                            packet.wire_octets});
        }
        port.release();
    }
    return seen;
}

std::string refusal(const DeviceConfig& config) {
    try {
        const Device device(test::eal(), config);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "opened";
}

// Of what no further try would mend.
bool is_wrong_configuration(const DeviceConfig& config) {
    try {
        const Device device(test::eal(), config);
    } catch (const DeviceConfigError&) {
        return true;
    } catch (const std::runtime_error&) {
        return false;
    }
    return false;
}

bool is_odd(std::span<const probe::BpfInstruction>, const PacketView& packet) noexcept {
    return packet.wire_octets % 2 == 1;
}

}  // namespace

TEST_GROUP(Device) {
    probe::test::CaptureFolder folder;

    std::string capture_device(const std::string& name, const std::vector<test::Packet>& packets)
        const {
        return "net_pcap_" + name +
               ",rx_pcap=" + folder.write(name, test::capture(packets)).string();
    }
};

TEST(Device, reads_a_capture_with_its_times) {
    const Octets octets = test::udp_frame(300);
    Device device(
        test::eal(),
        {.device = capture_device("a",
                                  {{.seconds = 5, .microseconds = 7, .octets = octets},
                                   {.seconds = 2'000'000'000, .octets = test::udp_frame(60)}})});
    CHECK_EQUAL(std::string("net_pcap"), device.facts().driver);
    CHECK_EQUAL(std::string("capture us"), device.facts().clock);
    CHECK_EQUAL(std::string(), device.facts().filter);
    CHECK(device.facts().losses_counted);
    CHECK(device.facts().keeps_flows);
    CHECK(!device.facts().is_live);
    CHECK(device.facts().warnings.empty());
    probe::Port& port = *device.ports().at(0);
    const std::vector<Seen> seen = all_of(port);
    CHECK_EQUAL(2, seen.size());
    CHECK_EQUAL(5'000'007'000, seen.at(0).time_ns);
    CHECK_EQUAL(2'000'000'000'000'000'000, seen.at(1).time_ns);
    CHECK(seen.at(0).octets == octets);
    CHECK(port.state() == PortState::running);
    CHECK(!port.is_live());
    CHECK_EQUAL(2'000'000'000'000'000'000, port.now_ns());
    CHECK_EQUAL(2, port.counters().packets_offered);
    CHECK_EQUAL(360, port.counters().octets_offered);
}

TEST(Device, says_that_packets_were_cut_short) {
    Device device(
        test::eal(),
        {.device = capture_device("a", {{.octets = test::udp_frame(60), .wire_octets = 1514}})});
    CHECK_EQUAL(1, device.facts().warnings.size());
    CHECK(device.facts().warnings.at(0).find("1 packets cut short") != std::string::npos);
    const std::vector<Seen> seen = all_of(*device.ports().at(0));
    CHECK_EQUAL(60, seen.at(0).octets.size());
    CHECK_EQUAL(60, seen.at(0).wire_octets);
}

TEST(Device, puts_jumbo_frames_together) {
    const Octets jumbo = test::udp_frame(9014);
    std::vector<test::Packet> packets(100, {.octets = jumbo});
    packets.push_back({.octets = test::udp_frame(60'000)});
    Device device(test::eal(), {.device = capture_device("a", packets)});
    const std::vector<Seen> seen = all_of(*device.ports().at(0));
    CHECK_EQUAL(101, seen.size());
    CHECK(seen.at(0).octets == jumbo);
    CHECK(seen.at(99).octets == jumbo);
    CHECK(seen.at(100).octets == test::udp_frame(60'000));
}

TEST(Device, survives_packets_longer_than_the_driver_can) {
    Device device(test::eal(),
                  {.device = capture_device("a",
                                            {{.octets = Octets(65'536 + 500, 9)},
                                             {.octets = Octets(262'144, 9)},
                                             {.octets = test::udp_frame(60)}})});
    const std::vector<Seen> seen = all_of(*device.ports().at(0));
    CHECK_EQUAL(3, seen.size());
    for (const Seen& packet : seen) {
        CHECK(packet.octets.size() <= packet.wire_octets);
    }
    CHECK_EQUAL(60, seen.at(2).octets.size());
}

TEST(Device, has_a_queue_for_each_capture) {
    const std::string second =
        folder.write("b", test::capture({{.octets = test::udp_frame(99)}})).string();
    Device device(
        test::eal(),
        {.device = capture_device("a", {{.octets = test::udp_frame(60)}}) + ",rx_pcap=" + second});
    CHECK_EQUAL(2, device.ports().size());
    CHECK(!device.facts().keeps_flows);
    CHECK_EQUAL(60, all_of(*device.ports().at(0)).at(0).wire_octets);
    CHECK_EQUAL(99, all_of(*device.ports().at(1)).at(0).wire_octets);
    CHECK_EQUAL(1, device.ports().at(0)->counters().packets_offered);
    CHECK_EQUAL(1, device.ports().at(1)->counters().packets_offered);
}

TEST(Device, filters_and_says_by_what) {
    const probe::BpfInstruction unknown{.code = 0xffff};
    Device device(test::eal(),
                  {.device = capture_device("a",
                                            {{.octets = test::udp_frame(60)},
                                             {.octets = test::udp_frame(61)},
                                             {.octets = test::udp_frame(62)}}),
                   .filter = {.instructions = {&unknown, 1}, .matches = is_odd}});
    CHECK_EQUAL(std::string("libpcap"), device.facts().filter);
    CHECK_EQUAL(1, all_of(*device.ports().at(0)).size());
    CHECK_EQUAL(3, device.ports().at(0)->counters().packets_offered);
    CHECK_EQUAL(2, device.ports().at(0)->counters().packets_filtered);
}

TEST(Device, an_endless_capture_is_live_and_has_the_probes_time) {
    Device device(
        test::eal(),
        {.device = capture_device(
                       "a", {{.octets = test::udp_frame(60)}, {.octets = test::udp_frame(9014)}}) +
                   ",infinite_rx=1"});
    CHECK(device.facts().is_live);
    CHECK_EQUAL(std::string("probe ns"), device.facts().clock);
    probe::Port& port = *device.ports().at(0);
    std::array<PacketView, kMaximumBurst> burst;
    uint64_t last = static_cast<uint64_t>(std::time(nullptr)) * 1'000'000'000;
    for (int i = 0; i < 1000; ++i) {
        CHECK_EQUAL(64, port.receive(burst));
        CHECK(burst[0].time_ns >= last);
        CHECK_EQUAL(60, burst[0].wire_octets);
        CHECK_EQUAL(9014, burst[1].wire_octets);
        last = burst[63].time_ns;
        port.release();
    }
    CHECK(port.now_ns() >= last);
    CHECK_EQUAL(64'000, port.counters().packets_offered);
}

TEST(Device, a_device_may_be_opened_again) {
    const std::string capture = capture_device("a", {{.octets = test::udp_frame(60)}});
    for (int i = 0; i < 3; ++i) {
        Device device(test::eal(), {.device = capture});
        CHECK_EQUAL(1, all_of(*device.ports().at(0)).size());
    }
}

TEST(Device, opens_as_many_queues_as_are_asked_for) {
    Device device(test::eal(), {.device = "net_null_two", .queues = 2, .descriptors = 256});
    CHECK_EQUAL(2, device.ports().size());
    // It tells a hash that it does not have.
    CHECK(!device.facts().keeps_flows);
    std::array<PacketView, kMaximumBurst> burst;
    for (probe::Port* port : device.ports()) {
        CHECK_EQUAL(64, port->receive(burst));
        CHECK_EQUAL(64, burst[5].wire_octets);
        port->release();
        CHECK_EQUAL(64, port->counters().packets_offered);
        CHECK_EQUAL(0, port->counters().packets_missed);
    }
}

TEST(Device, tells_whether_its_line_is_up) {
    Device device(test::eal(), {.device = "net_ring_link", .descriptors = 256});
    uint16_t port_id = 0;
    CHECK_EQUAL(0, rte_eth_dev_get_port_by_name("net_ring_link", &port_id));
    CHECK_TRUE(device.has_link());
    CHECK_EQUAL(0, rte_eth_dev_set_link_down(port_id));
    CHECK_FALSE(device.has_link());
    CHECK_EQUAL(0, rte_eth_dev_set_link_up(port_id));
    CHECK_TRUE(device.has_link());
}

TEST(Device, refuses_in_words) {
    CHECK_EQUAL("net_pcap_x: no capture '" + folder.path().string() + "/none'",
                refusal({.device = "net_pcap_x,rx_pcap=" + folder.path().string() + "/none"}));
    CHECK(refusal({.device = "net_pacp0"}).starts_with("net_pacp0: DPDK has no driver 'net_pacp'"));
    CHECK(refusal({.device = "net_null9,sizee=3"}).find("misspelt") != std::string::npos);
    CHECK(refusal({.device = "net_null8", .queues = 5000}).find("5000 queues are asked for") !=
          std::string::npos);
    CHECK(is_wrong_configuration({.device = "net_null7", .queues = 5000}));
    CHECK(!is_wrong_configuration(
        {.device = "net_pcap_x,rx_pcap=" + folder.path().string() + "/none"}));
}

TEST(Device, refuses_captures_that_the_driver_would_misread) {
    const std::string raw =
        folder.write("raw", test::capture({{.octets = Octets(40, 0x45)}}, 101)).string();
    CHECK(refusal({.device = "net_pcap_r,rx_pcap=" + raw}).find("no capture of Ethernet") !=
          std::string::npos);
    Octets damaged =
        test::capture({{.octets = test::udp_frame(60)}, {.octets = test::udp_frame(60)}});
    damaged.at(24 + 8 + 3) = 0x7f;
    CHECK(refusal({.device = "net_pcap_d,rx_pcap=" + folder.write("d", damaged).string()})
              .find("is damaged after 0 packets") != std::string::npos);
}

TEST(Device, says_that_a_capture_is_cut) {
    const Octets whole =
        test::capture({{.octets = test::udp_frame(60)}, {.octets = test::udp_frame(60)}});
    const std::string file =
        folder.write("cut", probe::test::first(whole, whole.size() - 9)).string();
    Device device(test::eal(), {.device = "net_pcap_c,rx_pcap=" + file});
    CHECK(device.facts().warnings.at(0).find("is cut after 1 packets") != std::string::npos);
    CHECK(device.facts().damage == device.facts().warnings.at(0));
    CHECK_EQUAL(1, all_of(*device.ports().at(0)).size());
    CHECK_EQUAL(1, device.ports().at(0)->counters().packets_offered);
}

TEST(Device, refuses_a_device_that_is_open) {
    const std::string capture = capture_device("a", {{.octets = test::udp_frame(60)}});
    Device device(test::eal(), {.device = capture});
    CHECK_EQUAL(std::string("net_pcap_a: opened twice; each device is to be named once"),
                refusal({.device = capture}));
    CHECK_EQUAL(1, all_of(*device.ports().at(0)).size());
}

TEST(Device, has_memory_for_fewer_descriptors_and_says_so) {
    Device device(test::eal(), {.device = "net_null_big", .queues = 4, .descriptors = 32768});
    CHECK(device.facts().warnings.at(0).find("for want of memory") != std::string::npos);
}

}  // namespace curlew::dpdk_port

#include "cli/traffic.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>

#include "tests/support/cpputest.h"

namespace {

using curlew::cli::traffic_scenarios;
using curlew::cli::TrafficSummary;
using curlew::cli::write_traffic;

constexpr size_t kFileHeaderOctets = 24;
constexpr size_t kPacketHeaderOctets = 16;

uint64_t little_endian(const std::string& octets, size_t at) {
    uint64_t number = 0;
    for (size_t i = 0; i < 4; ++i) {
        number |= uint64_t{static_cast<uint8_t>(octets.at(at + i))} << (8 * i);
    }
    return number;
}

uint64_t big_endian16(const std::string& octets, size_t at) {
    return uint64_t{static_cast<uint8_t>(octets.at(at))} << 8 |
           static_cast<uint8_t>(octets.at(at + 1));
}

// The ones' complement sum of a span of octets; all ones when its checksum is right.
uint64_t folded_sum(const std::string& octets, size_t begin, size_t end, uint64_t sum = 0) {
    for (size_t at = begin; at < end; ++at) {
        sum += uint64_t{static_cast<uint8_t>(octets.at(at))} << ((at - begin) % 2 == 0 ? 8 : 0);
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

// What a walk over a pcap file finds.
struct Walk {
    uint64_t packets = 0;
    uint64_t ipv4_packets = 0;
    uint64_t fragments = 0;
    uint64_t wrong_checksums = 0;
    uint64_t times_reversed = 0;
    uint64_t first_second = 0;
    uint64_t last_second = 0;
    bool ends_with_a_packet = false;
};

// A packet's IP header, and what is above it when it is whole.
void walk_ipv4(const std::string& file, size_t ip, Walk& walk) {
    ++walk.ipv4_packets;
    const size_t header_octets = (static_cast<uint8_t>(file.at(ip)) & 0x0fu) * 4;
    const size_t total_octets = big_endian16(file, ip + 2);
    walk.wrong_checksums += folded_sum(file, ip, ip + header_octets) != 0xffff ? 1 : 0;
    if ((big_endian16(file, ip + 6) & 0x3fff) != 0) {
        ++walk.fragments;
        return;
    }
    const uint64_t protocol = static_cast<uint8_t>(file.at(ip + 9));
    uint64_t pseudo = 0;
    if (protocol == 6 || protocol == 17) {
        pseudo = folded_sum(file, ip + 12, ip + 20) + protocol + total_octets - header_octets;
    }
    walk.wrong_checksums +=
        folded_sum(file, ip + header_octets, ip + total_octets, pseudo) != 0xffff ? 1 : 0;
}

Walk walk_capture(const std::string& file) {
    Walk walk;
    uint64_t last_time = 0;
    size_t at = kFileHeaderOctets;
    while (at + kPacketHeaderOctets <= file.size()) {
        const uint64_t second = little_endian(file, at);
        const uint64_t time = second * 1'000'000'000 + little_endian(file, at + 4);
        const uint64_t octets = little_endian(file, at + 8);
        CHECK_EQUAL(octets, little_endian(file, at + 12));
        walk.first_second = walk.packets == 0 ? second : walk.first_second;
        walk.last_second = second;
        walk.times_reversed += time < last_time ? 1 : 0;
        last_time = time;
        at += kPacketHeaderOctets;
        if (big_endian16(file, at + 12) == 0x0800) {
            walk_ipv4(file, at + 14, walk);
        }
        at += octets;
        ++walk.packets;
    }
    walk.ends_with_a_packet = at == file.size();
    return walk;
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_GROUP(Traffic) {
    std::filesystem::path folder;

    void setup() override {
        std::string name = std::filesystem::temp_directory_path() / "curlew-traffic-XXXXXX";
        CHECK(mkdtemp(name.data()) != nullptr);
        folder = name;
    }

    void teardown() override {
        std::filesystem::remove_all(folder);
    }

    std::string octets_of(const std::string& scenario, uint64_t seed) {
        const std::filesystem::path path = folder / "capture.pcap";
        write_traffic({scenario, path, seed});
        return read_file(path);
    }
};

TEST(Traffic, of_one_seed_is_the_same_octets) {
    for (const auto& scenario : traffic_scenarios()) {
        const std::string name(scenario.name);
        CHECK(octets_of(name, 7) == octets_of(name, 7));
    }
}

TEST(Traffic, of_another_seed_is_other_octets) {
    for (const auto& scenario : traffic_scenarios()) {
        const std::string name(scenario.name);
        CHECK(octets_of(name, 7) != octets_of(name, 8));
    }
}

TEST(Traffic, is_a_capture_of_minutes_in_order_of_time_with_right_checksums) {
    for (const auto& scenario : traffic_scenarios()) {
        const std::filesystem::path path = folder / "capture.pcap";
        const TrafficSummary summary = write_traffic({std::string(scenario.name), path, 7});
        const Walk walk = walk_capture(read_file(path));
        CHECK(walk.ends_with_a_packet);
        CHECK_EQUAL(summary.packets, walk.packets);
        CHECK(walk.packets > 300);
        CHECK(walk.last_second - walk.first_second > 240);
        CHECK_EQUAL(0u, walk.times_reversed);
        CHECK_EQUAL(0u, walk.wrong_checksums);
        CHECK_EQUAL(2u, walk.fragments);
    }
}

TEST(Traffic, of_the_gateway_is_stamped_in_nanoseconds_and_of_the_camera_in_microseconds) {
    CHECK_EQUAL(0xa1b23c4du, little_endian(octets_of("gateway-boot", 1), 0));
    CHECK_EQUAL(0xa1b2c3d4u, little_endian(octets_of("camera-minutes", 1), 0));
}

TEST(Traffic, of_the_gateway_has_the_same_flows_whatever_the_seed) {
    const std::map<std::string, uint64_t> expected = {{"DHCP", 1},
                                                      {"DNS (GW Init)", 2},
                                                      {"FW Version Check", 1},
                                                      {"ICMP (Port Unreachable)", 1},
                                                      {"Ikea Application Data", 4},
                                                      {"Ikea Port Test", 2},
                                                      {"MDNS", 3},
                                                      {"Membership Report Group", 2},
                                                      {"TLS (Webhook Ikea Cloud)", 1},
                                                      {"Unknown", 1}};
    for (uint64_t seed = 0; seed < 50; ++seed) {
        const auto summary = write_traffic({"gateway-boot", folder / "capture.pcap", seed});
        CHECK(expected == summary.flow_types);
        CHECK(summary.packets_not_ip > 165);
        CHECK_EQUAL(3u, summary.flows_ipv6);
    }
}

TEST(Traffic, of_the_camera_has_the_same_flows_whatever_the_seed) {
    const std::map<std::string, uint64_t> expected = {{"DNS (google.com/myedimax.com)", 9},
                                                      {"HTTP (Test Connection To google.com)", 5},
                                                      {"Local Init Broadcast", 1},
                                                      {"Membership Report Group", 1},
                                                      {"NetBIOS", 1},
                                                      {"SMB (Local NAS Connection)", 2},
                                                      {"SSDP (m-search)", 4},
                                                      {"SSDP (notify)", 1},
                                                      {"TLS (myedimax.com)", 3},
                                                      {"UDP Heartbeat myedimax.com", 1},
                                                      {"UDP myedimax.com Init", 2}};
    for (uint64_t seed = 0; seed < 50; ++seed) {
        const auto summary = write_traffic({"camera-minutes", folder / "capture.pcap", seed});
        CHECK(expected == summary.flow_types);
        CHECK_EQUAL(3u, summary.packets_not_ip);
        CHECK_EQUAL(0u, summary.flows_ipv6);
    }
}

TEST(Traffic, of_the_gateway_says_what_signatures_look_for) {
    const std::string file = octets_of("gateway-boot", 3);
    const std::string dns_name(
        "\x02"
        "fw\x03ota\x09homesmart\x04ikea\x03net\x00",
        27);
    CHECK(file.find(dns_name) != std::string::npos);
    CHECK(file.find("GET /feed/version_info.json HTTP/1.0\r\n") != std::string::npos);
    CHECK(file.find(std::string("\x16\xfe\xfd\x00\x00", 5)) != std::string::npos);
    CHECK(file.find("\x07webhook\x0alogentries\x03"
                    "com") != std::string::npos);
}

TEST(Traffic, of_the_camera_says_what_signatures_look_for) {
    const std::string file = octets_of("camera-minutes", 3);
    CHECK(file.find("NOTIFY * HTTP/1.1\r\n") != std::string::npos);
    CHECK(file.find("M-SEARCH * HTTP/1.1\r\n") != std::string::npos);
    CHECK(file.find("<param><code value=\"1300\" />") != std::string::npos);
    // "<param>" of the cloud's messages, scrambled by five bits.
    CHECK(file.find("\x41\x83\x0b\x93\x0b\x6b\xf1") != std::string::npos);
    CHECK(file.find("\xffSMBr") != std::string::npos);
    // The server name extension of RFC 6066.
    const std::string server_name("\x00\x00\x00\x15\x00\x13\x00\x00\x10www.myedimax.com", 25);
    CHECK(file.find(server_name) != std::string::npos);
}

TEST(Traffic, refuses_a_scenario_that_is_not_there) {
    CHECK_THROWS(std::runtime_error, write_traffic({"nonsense", folder / "capture.pcap", 1}));
    CHECK_FALSE(std::filesystem::exists(folder / "capture.pcap"));
}

TEST(Traffic, that_cannot_be_written_leaves_nothing) {
    CHECK_THROWS(std::runtime_error, write_traffic({"gateway-boot", folder / "no" / "c.pcap", 1}));
    std::filesystem::create_directory(folder / "taken");
    CHECK_THROWS(std::runtime_error, write_traffic({"gateway-boot", folder / "taken", 1}));
    CHECK_FALSE(std::filesystem::exists(folder / "taken.open"));
}

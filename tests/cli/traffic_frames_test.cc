#include "cli/traffic_frames.h"

#include <string>
#include <string_view>
#include <vector>

#include "cli/traffic_names.h"
#include "tests/cli/traffic_frames_read.h"
#include "tests/support/cpputest.h"

namespace {

using namespace curlew::cli;
using namespace std::string_view_literals;

constexpr MacAddress kDeviceMac = {0xb8, 0xd7, 0xaf, 0x2b, 0x32, 0xa9};
constexpr MacAddress kRouterMac = {0xa4, 0x2b, 0xb0, 0xde, 0x05, 0x3e};

}  // namespace

TEST_GROUP(TrafficFrames) {
    TrafficCapture capture{1};
    TrafficHost device = {.mac = kDeviceMac,
                          .address = ipv4(192, 168, 3, 213),
                          .ttl = 255,
                          .dont_fragment = true,
                          .next_ip_id = 0x2d};
    TrafficHost router = {.mac = kRouterMac, .address = ipv4(192, 168, 3, 1)};
};

TEST(TrafficFrames, checksum_is_that_of_the_example_in_rfc_1071) {
    CHECK_EQUAL(0x220d, internet_checksum("\x00\x01\xf2\x03\xf4\xf5\xf6\xf7"sv));
    CHECK_EQUAL(0xfeff, internet_checksum("\x01"sv));
}

TEST(TrafficFrames, udp_is_to_the_octet_what_a_device_sent) {
    DnsMessage query(0xc7db, kDnsQuery);
    query.ask("fw.ota.homesmart.ikea.net", kDnsTypeA);
    add_udp(capture, capture.start_ns(), device, router, {30003, 53}, query.octets(), "DNS");
    STRCMP_EQUAL(
        "a42bb0de053eb8d7af2b32a908004500"
        "0047002d4000ff11f351c0a803d5c0a8"
        "030175330035003396ccc7db01000001"
        "000000000000026677036f746109686f"
        "6d65736d61727404696b6561036e6574"
        "0000010001",
        hex_of(frames_of(capture).at(0)).c_str());
}

TEST(TrafficFrames, datagram_longer_than_a_frame_goes_in_fragments) {
    device.dont_fragment = false;
    add_udp(capture,
            capture.start_ns(),
            device,
            router,
            {1000, 2000},
            std::string(1700, 'x'),
            "whatever");
    const auto frames = frames_of(capture);
    CHECK_EQUAL(2u, frames.size());
    CHECK_EQUAL(1514u, frames.at(0).size());
    CHECK_EQUAL(14u + 20 + 228, frames.at(1).size());
    STRCMP_EQUAL("002d2000", hex_of(frames.at(0).substr(18, 4)).c_str());
    STRCMP_EQUAL("002d00b9", hex_of(frames.at(1).substr(18, 4)).c_str());
    CHECK_EQUAL(1u, capture.summary().flow_types.at("whatever"));
}

TEST(TrafficFrames, igmp_goes_one_hop_with_router_alert) {
    constexpr uint32_t kGroup = ipv4(224, 0, 0, 251);
    device.dont_fragment = false;
    add_igmp(capture, capture.start_ns(), device, group_host(kGroup), 0x16, kGroup, "report");
    const std::string frame = frames_of(capture).at(0);
    CHECK_EQUAL(60u, frame.size());
    STRCMP_EQUAL("01005e0000fbb8d7af2b32a90800", hex_of(frame.substr(0, 14)).c_str());
    STRCMP_EQUAL("46000020002d00000102", hex_of(frame.substr(14, 10)).c_str());
    STRCMP_EQUAL("94040000", hex_of(frame.substr(34, 4)).c_str());
    STRCMP_EQUAL("16000904e00000fb", hex_of(frame.substr(38, 8)).c_str());
}

TEST(TrafficFrames, port_unreachable_quotes_the_refused_datagram) {
    device.next_ip_id = 0x30;
    add_port_unreachable(
        capture, capture.start_ns(), router, device, {5684, 50000}, 450, "unreachable");
    const std::string frame = frames_of(capture).at(0);
    CHECK_EQUAL(70u, frame.size());
    STRCMP_EQUAL("0303", hex_of(frame.substr(34, 2)).c_str());
    // The quoted header: from the device, its last identification, 478 octets in all.
    STRCMP_EQUAL("450001de002f4000ff11", hex_of(frame.substr(42, 10)).c_str());
    STRCMP_EQUAL("c0a803d5c0a80301", hex_of(frame.substr(54, 8)).c_str());
    STRCMP_EQUAL("1634c35001ca", hex_of(frame.substr(62, 6)).c_str());
    CHECK_EQUAL(0u, internet_checksum(std::string_view(frame).substr(34)));
}

TEST(TrafficFrames, arp_asks_everyone_and_answers_one) {
    add_arp(capture, capture.start_ns(), device, router, true);
    add_arp(capture, capture.start_ns() + 1, router, device, false);
    const auto frames = frames_of(capture);
    STRCMP_EQUAL(
        "ffffffffffffb8d7af2b32a90806"
        "0001080006040001b8d7af2b32a9c0a803d5000000000000c0a80301",
        hex_of(frames.at(0).substr(0, 42)).c_str());
    STRCMP_EQUAL(
        "b8d7af2b32a9a42bb0de053e0806"
        "0001080006040002a42bb0de053ec0a80301b8d7af2b32a9c0a803d5",
        hex_of(frames.at(1).substr(0, 42)).c_str());
    CHECK_EQUAL(2u, capture.summary().packets_not_ip);
}

TEST(TrafficFrames, spanning_tree_is_an_802_3_frame) {
    add_spanning_tree(capture, capture.start_ns(), kRouterMac);
    const std::string frame = frames_of(capture).at(0);
    STRCMP_EQUAL("0180c2000000a42bb0de053e0026424203", hex_of(frame.substr(0, 17)).c_str());
}

TEST(TrafficFrames, ipv6_goes_from_the_link_local_address_to_the_groups_ethernet_address) {
    const Ipv6Address group = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb};
    add_ipv6_udp(capture,
                 capture.start_ns(),
                 kDeviceMac,
                 link_local(kDeviceMac),
                 group,
                 {5353, 5353},
                 "hello!");
    const std::string frame = frames_of(capture).at(0);
    STRCMP_EQUAL(
        "3333000000fbb8d7af2b32a986dd"
        "60000000000e11ff"
        "fe80000000000000bad7affffe2b32a9"
        "ff0200000000000000000000000000fb",
        hex_of(frame.substr(0, 54)).c_str());
    const std::string pseudo = frame.substr(22, 32) + std::string("\0\0\0\x0e\0\0\0\x11", 8);
    CHECK_EQUAL(0u, internet_checksum(pseudo + frame.substr(54)));
    CHECK_EQUAL(1u, capture.summary().flows_ipv6);
}

TEST(TrafficFrames, icmpv6_report_stands_behind_its_hop_by_hop_header) {
    const Ipv6Address group = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16};
    const std::string hop_by_hop("\x3a\x00\x05\x02\x00\x00\x01\x00", 8);
    add_icmpv6(capture,
               capture.start_ns(),
               kDeviceMac,
               link_local(kDeviceMac),
               group,
               hop_by_hop,
               std::string("\x8f\0\0\0\0\0\0\0", 8));
    const std::string frame = frames_of(capture).at(0);
    STRCMP_EQUAL("6000000000100001", hex_of(frame.substr(14, 8)).c_str());
    STRCMP_EQUAL("3a00050200000100", hex_of(frame.substr(54, 8)).c_str());
    const std::string pseudo = frame.substr(22, 32) + std::string("\0\0\0\x08\0\0\0\x3a", 8);
    CHECK_EQUAL(0u, internet_checksum(pseudo + frame.substr(62)));
}

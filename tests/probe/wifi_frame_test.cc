#include "probe/wifi_frame.h"

#include <string>

#include "probe/packet_parser.h"
#include "tests/probe/parsed_packet.h"
#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

namespace curlew::probe {

using tests::from_hex;
using tests::Octets;
using tests::Packet;
using tests::PacketBuilder;
using tests::parse;
using tests::result_of;

namespace {

// Addresses end in 1, 2, 3 and 4.
const char* const kAddresses = "0000 020000000001 020000000002 020000000003 0000";
const char* const kRadiotap = "0000 0800 00000000";

Packet with_ip(LinkType type, const std::string& header) {
    return PacketBuilder{}
        .plain_link(type, from_hex(header))
        .llc_snap()
        .ipv4()
        .udp(1000, 2000)
        .payload("abc")
        .build();
}

// A frame of these octets carries the datagram between the stations that end in these.
void check_stations(int source, int destination, const std::string& header) {
    const Packet packet = with_ip(LinkType::wifi, header);
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(1000, parsed.key.low_port);
    LONGS_EQUAL(3, parsed.payload_octets);
    LONGS_EQUAL(source, parsed.source_mac[5]);
    LONGS_EQUAL(destination, parsed.destination_mac[5]);
    LONGS_EQUAL(packet.octets.size(), parsed.frame_octets);
}

}  // namespace

TEST_GROUP(WifiFrame){};

TEST(WifiFrame, stations_by_the_direction_of_the_frame) {
    check_stations(2, 1, std::string("0800") + kAddresses);
    check_stations(2, 3, std::string("0801") + kAddresses);
    check_stations(3, 1, std::string("0802") + kAddresses);
    check_stations(4, 3, std::string("0803") + kAddresses + "020000000004");
}

TEST(WifiFrame, quality_of_service_and_high_throughput_control) {
    check_stations(2, 3, std::string("8801") + kAddresses + "0600");
    check_stations(2, 3, std::string("8881") + kAddresses + "0600 00000000");
    check_stations(4, 3, std::string("8803") + kAddresses + "020000000004 0600");
    // Order without quality of service brings no field.
    check_stations(2, 3, std::string("0881") + kAddresses);
}

TEST(WifiFrame, other_frames_have_reasons_of_their_own) {
    const auto check = [](const char* reason, const std::string& control) {
        STRCMP_EQUAL(reason,
                     name_of(result_of(with_ip(LinkType::wifi, control + kAddresses + "0000"))));
    };
    check("wifi_no_data", "8000");  // beacon
    check("wifi_no_data", "d400");  // acknowledgement
    check("wifi_no_data", "4801");  // data frame without data
    check("wifi_no_data", "c801");  // likewise, with quality of service
    check("wifi_protected", "0841");
    check("wifi_protected", "8842");
    const std::string fragment = "0000 020000000001 020000000002 020000000003 0100";
    STRCMP_EQUAL("wifi_fragment", name_of(result_of(with_ip(LinkType::wifi, "0801" + fragment))));
}

TEST(WifiFrame, aggregate_of_one_packet_is_that_packet) {
    const std::string header = std::string("8801") + kAddresses + "8000";
    const std::string subframe = "020000000007 020000000008";
    // LLC 8, IP 20, UDP 8, payload 3.
    const Packet one = with_ip(LinkType::wifi, header + subframe + "0027");
    LONGS_EQUAL(8, parse(one).source_mac[5]);
    LONGS_EQUAL(7, parse(one).destination_mac[5]);
    // The same with one more behind it: 53 octets, padded to 56.
    Packet two = one;
    two.octets.resize(two.octets.size() + 3 + 14);
    two.wire_octets = static_cast<uint32_t>(two.octets.size());
    STRCMP_EQUAL("wifi_aggregated", name_of(result_of(two)));
}

TEST(WifiFrame, cut_frames_are_refused) {
    const Packet packet = with_ip(LinkType::wifi, std::string("8801") + kAddresses + "0600");
    for (size_t octets = 0; octets < 26 + 8; ++octets) {
        STRCMP_EQUAL("link_header_truncated", name_of(result_of(packet.captured(octets))));
    }
    STRCMP_EQUAL("ip_header_truncated", name_of(result_of(packet.captured(26 + 8 + 19))));
}

TEST(WifiFrame, radiotap_header_is_no_part_of_the_frame) {
    const Packet packet =
        with_ip(LinkType::wifi_radiotap, std::string(kRadiotap) + "0801" + kAddresses);
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(packet.octets.size() - 8, parsed.frame_octets);
    LONGS_EQUAL(1000, parsed.key.low_port);
}

TEST(WifiFrame, radiotap_tells_the_check_sequence_behind_a_time) {
    // Time and flags present; time at 8, flags 0x10 at 16.
    Packet packet =
        with_ip(LinkType::wifi_radiotap,
                std::string("0000 1100 03000000 0102030405060708 10") + "0801" + kAddresses);
    packet.octets.resize(packet.octets.size() + 4);
    packet.wire_octets = static_cast<uint32_t>(packet.octets.size());
    LONGS_EQUAL(packet.octets.size() - 17 - 4, parse(packet).frame_octets);
    packet.octets[16] = 0x50;
    STRCMP_EQUAL("wifi_bad_fcs", name_of(result_of(packet)));
}

TEST(WifiFrame, radiotap_flags_stand_behind_all_present_words) {
    const std::string rest = std::string("0801") + kAddresses;
    // Two words more; one word more, after which the time is aligned to 8.
    const Packet two = with_ip(LinkType::wifi_radiotap,
                               "0000 1900 03000080 00000080 00000000 0102030405060708 40" + rest);
    STRCMP_EQUAL("wifi_bad_fcs", name_of(result_of(two)));
    const Packet one = with_ip(LinkType::wifi_radiotap,
                               "0000 1900 03000080 00000000 00000000 0102030405060708 40" + rest);
    STRCMP_EQUAL("wifi_bad_fcs", name_of(result_of(one)));
}

TEST(WifiFrame, radiotap_tells_that_the_header_is_padded) {
    const Packet packet =
        with_ip(LinkType::wifi_radiotap,
                std::string("0000 0900 02000000 20") + "8801" + kAddresses + "0600 0000");
    LONGS_EQUAL(1000, parse(packet).key.low_port);
}

TEST(WifiFrame, radiotap_that_contradicts_itself_is_refused) {
    const std::string rest = std::string("0801") + kAddresses;
    STRCMP_EQUAL("not_ip",
                 name_of(result_of(with_ip(LinkType::wifi_radiotap, "0100 0800 00000000" + rest))));
    STRCMP_EQUAL("not_ip",
                 name_of(result_of(with_ip(LinkType::wifi_radiotap, "0000 0700 00000000" + rest))));
    STRCMP_EQUAL("link_header_truncated",
                 name_of(result_of(with_ip(LinkType::wifi_radiotap, "0000 ffff 00000000" + rest))));
}

TEST(WifiFrame, prism_and_avs_headers_are_passed) {
    const std::string rest = std::string("0801") + kAddresses;
    const auto check = [&](LinkType type, const std::string& header) {
        const Packet packet = with_ip(type, header + rest);
        const ParsedPacket parsed = parse(packet);
        LONGS_EQUAL(1000, parsed.key.low_port);
        LONGS_EQUAL(packet.octets.size() - 12, parsed.frame_octets);
    };
    check(LinkType::wifi_prism, "44000000 0c000000 00000000");
    check(LinkType::wifi_prism, "00000044 0000000c 00000000");
    check(LinkType::wifi_prism, "80211001 0000000c 00000000");
    check(LinkType::wifi_avs, "80211001 0000000c 00000000");
    STRCMP_EQUAL("link_header_truncated",
                 name_of(result_of(with_ip(LinkType::wifi_avs, "80211001 ffffffff" + rest))));
}

}  // namespace curlew::probe

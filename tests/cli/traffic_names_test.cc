#include "cli/traffic_names.h"

#include <string>

#include "tests/cli/traffic_frames_read.h"
#include "tests/support/cpputest.h"

using namespace curlew::cli;

TEST_GROUP(DnsMessage){};

TEST(DnsMessage, question_is_to_the_octet_what_a_camera_asked) {
    DnsMessage query(2, kDnsQuery);
    query.ask("www.google.com", kDnsTypeA);
    STRCMP_EQUAL("0002010000010000000000000377777706676f6f676c6503636f6d0000010001",
                 hex_of(query.octets()).c_str());
}

TEST(DnsMessage, answer_points_at_the_name_asked_for) {
    DnsMessage answer(2, kDnsAnswer);
    answer.ask("www.google.com", kDnsTypeA);
    answer.add_address({DnsSection::answer, "www.google.com", 0x77}, ipv4(172, 217, 168, 196));
    STRCMP_EQUAL(
        "0002818000010001000000000377777706676f6f676c6503636f6d0000010001"
        "c00c00010001000000770004acd9a8c4",
        hex_of(answer.octets()).c_str());
}

TEST(DnsMessage, name_that_ends_as_another_points_at_its_end) {
    DnsMessage answer(0, kMulticastDnsAnswer);
    answer.add_service({DnsSection::additional, "a.local", 120, true}, 80, "b.local");
    STRCMP_EQUAL(
        "000084000000000000000001"
        "0161056c6f63616c00"
        "002180010000007800"
        "0a000000000050"
        "0162c00e",
        hex_of(answer.octets()).c_str());
}

TEST(DnsMessage, holds_every_kind_of_record_in_its_section) {
    DnsMessage answer(0, kMulticastDnsAnswer);
    answer.add_alias({DnsSection::answer, "a", 1}, "b");
    answer.add_pointer({DnsSection::answer, "a", 1}, "b");
    answer.add_text({DnsSection::authority, "a", 1}, "\x02xy");
    answer.add_ipv6_address({DnsSection::additional, "a", 1}, link_local({}));
    STRCMP_EQUAL(
        "000084000000000200010001"
        "01610000050001000000010003016200"
        "c00c000c0001000000010002c019"
        "c00c001000010000000100030278"
        "79"
        "c00c001c0001000000010010fe800000000000000200"
        "00fffe000000",
        hex_of(answer.octets()).c_str());
}

TEST_GROUP(DhcpMessage) {
    DhcpFacts facts = {.transaction = 0x3af6fb2b,
                       .client_mac = {0xb8, 0xd7, 0xaf, 0x2b, 0x32, 0xa9},
                       .client_address = ipv4(192, 168, 3, 213),
                       .server_address = ipv4(192, 168, 3, 1),
                       .host_name = "host"};
};

TEST(DhcpMessage, from_a_client_names_no_address_of_its_own) {
    const std::string message = dhcp_message(DhcpType::discover, facts);
    CHECK_EQUAL(300u, message.size());
    STRCMP_EQUAL("010106003af6fb2b00000000000000000000000000000000",
                 hex_of(message.substr(0, 24)).c_str());
    STRCMP_EQUAL("b8d7af2b32a9", hex_of(message.substr(28, 6)).c_str());
    STRCMP_EQUAL("638253633501010c04686f7374", hex_of(message.substr(236, 13)).c_str());
}

TEST(DhcpMessage, from_a_server_gives_address_and_name_server) {
    const std::string message = dhcp_message(DhcpType::acknowledge, facts);
    CHECK_EQUAL(300u, message.size());
    STRCMP_EQUAL("c0a803d5c0a80301", hex_of(message.substr(16, 8)).c_str());
    STRCMP_EQUAL("350105", hex_of(message.substr(240, 3)).c_str());
    CHECK(hex_of(message).find("0604c0a80301ff") != std::string::npos);
}

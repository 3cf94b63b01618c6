#include "probe/packet_filter.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::probe::FilterError;
using curlew::probe::LinkType;
using curlew::probe::PacketFilter;
using curlew::probe::PacketView;

namespace {

// An IPv4 packet from 192.0.2.1 to 192.0.2.2 with 8 octets of UDP header.
std::vector<uint8_t> udp_over_ipv4(uint8_t destination_port) {
    return {0x45, 0, 0, 28, 0,   1, 0, 0, 64,   17,   0, 0,
            192,  0, 2, 1,  192, 0, 2, 2, 0x30, 0x39, 0, destination_port,
            0,    8, 0, 0};
}

std::vector<uint8_t> behind(std::vector<uint8_t> link_header, const std::vector<uint8_t>& packet) {
    link_header.insert(link_header.end(), packet.begin(), packet.end());
    return link_header;
}

std::vector<uint8_t> on_ethernet(const std::vector<uint8_t>& packet) {
    return behind({2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, packet);
}

PacketView view(const std::vector<uint8_t>& octets, LinkType link = LinkType::ethernet) {
    return {.data = octets.data(),
            .captured_octets = static_cast<uint32_t>(octets.size()),
            .wire_octets = static_cast<uint32_t>(octets.size()),
            .link = link};
}

std::string refusal(const std::string& expression) {
    try {
        const PacketFilter filter(expression, LinkType::ethernet);
    } catch (const FilterError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_GROUP(PacketFilter){};

TEST(PacketFilter, chooses_by_port) {
    const PacketFilter filter("udp port 53", LinkType::ethernet);
    CHECK(filter.matches(view(on_ethernet(udp_over_ipv4(53)))));
    CHECK(!filter.matches(view(on_ethernet(udp_over_ipv4(54)))));
}

TEST(PacketFilter, empty_expression_wants_every_packet) {
    const PacketFilter filter("", LinkType::ethernet);
    CHECK(filter.matches(view(on_ethernet(udp_over_ipv4(53)))));
    CHECK(filter.matches(view({0})));
}

TEST(PacketFilter, finds_the_ip_header_of_each_link_type) {
    const std::vector<uint8_t> packet = udp_over_ipv4(53);
    const auto matches = [](LinkType link, const std::vector<uint8_t>& octets) {
        return PacketFilter("udp dst port 53", link).matches(view(octets, link));
    };
    CHECK(matches(LinkType::raw_ip, packet));
    CHECK(matches(LinkType::null_loopback, behind({2, 0, 0, 0}, packet)));
    CHECK(matches(LinkType::linux_sll,
                  behind({0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, packet)));
    CHECK(matches(LinkType::linux_sll2,
                  behind({8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, packet)));
    CHECK(matches(LinkType::ppp, behind({0xff, 0x03, 0, 0x21}, packet)));
}

TEST(PacketFilter, octets_not_captured_do_not_match) {
    const PacketFilter filter("udp port 53", LinkType::ethernet);
    const std::vector<uint8_t> octets = on_ethernet(udp_over_ipv4(53));
    PacketView packet = view(octets);
    packet.captured_octets = 30;
    CHECK(!filter.matches(packet));
}

TEST(PacketFilter, length_is_the_wire_length) {
    const PacketFilter filter("greater 1000", LinkType::ethernet);
    const std::vector<uint8_t> octets = on_ethernet(udp_over_ipv4(53));
    PacketView packet = view(octets);
    CHECK(!filter.matches(packet));
    packet.wire_octets = 1000;
    CHECK(filter.matches(packet));
}

TEST(PacketFilter, instructions_are_classic_bpf) {
    // ldh [12]; jeq #0x806, then wanted, else not; ret; ret #0
    const PacketFilter filter("arp", LinkType::ethernet);
    CHECK_EQUAL(4, filter.instructions().size());
    CHECK_EQUAL(0x28, filter.instructions()[0].code);
    CHECK_EQUAL(12, filter.instructions()[0].k);
    CHECK_EQUAL(0x15, filter.instructions()[1].code);
    CHECK_EQUAL(0x806, filter.instructions()[1].k);
    CHECK_EQUAL(0, filter.instructions()[1].jump_true);
    CHECK_EQUAL(1, filter.instructions()[1].jump_false);
    CHECK_EQUAL(0x06, filter.instructions()[2].code);
    CHECK_EQUAL(262'144, filter.instructions()[2].k);
    CHECK_EQUAL(0x06, filter.instructions()[3].code);
    CHECK_EQUAL(0, filter.instructions()[3].k);
}

TEST(PacketFilter, a_port_is_given_the_instructions_and_their_meaning) {
    const PacketFilter filter("udp port 53", LinkType::ethernet);
    const curlew::probe::PortFilter wanted = filter.for_port();
    CHECK(wanted.instructions.data() == filter.instructions().data());
    CHECK(wanted.matches(wanted.instructions, view(on_ethernet(udp_over_ipv4(53)))));
    CHECK(!wanted.matches(wanted.instructions, view(on_ethernet(udp_over_ipv4(54)))));
}

TEST(PacketFilter, a_port_is_told_of_no_filter_when_all_is_wanted) {
    CHECK(PacketFilter("", LinkType::ethernet).for_port().instructions.empty());
}

TEST(PacketFilter, wrong_expression_is_named_with_its_cause) {
    CHECK_EQUAL(std::string("filter \"udp prot 53\": can't parse filter expression: syntax error"),
                refusal("udp prot 53"));
    CHECK_EQUAL(std::string("filter \"port 70000\": illegal port number 70000 > 65535"),
                refusal("port 70000"));
}

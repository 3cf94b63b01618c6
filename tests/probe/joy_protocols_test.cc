#include "probe/joy_protocols.h"

#include <string>
#include <string_view>

#include "tests/support/cpputest.h"

namespace curlew::probe {
namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;

std::span<const uint8_t> payload_octets(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_GROUP(JoyProtocols) {
    JoyProtocols protocols;

    void add(uint8_t protocol,
             uint16_t source,
             uint16_t destination,
             std::string_view payload,
             uint16_t application = 0) {
        protocols.add({payload_octets(payload), 0, source, destination, protocol, application});
    }

    // Which protocols the side has: some of "dns http dhcp tls ".
    std::string has() const {
        proto::JoyDns dns;
        proto::JoyHttp http;
        proto::JoyDhcp dhcp;
        proto::JoyTls tls;
        return std::string(protocols.fill(dns) ? "dns " : "") +
               (protocols.fill(http) ? "http " : "") + (protocols.fill(dhcp) ? "dhcp " : "") +
               (protocols.fill(tls) ? "tls " : "");
    }
};

TEST(JoyProtocols, ports_say_what_a_side_has_even_without_payload) {
    add(kUdp, 5353, 5353, "");
    add(kTcp, 53, 4000, "");
    add(kUdp, 443, 80, "");
    add(kUdp, 67, 67, "");
    STRCMP_EQUAL("", has().c_str());
    add(kUdp, 4000, 53, "");
    STRCMP_EQUAL("dns ", has().c_str());
    add(kUdp, 68, 67, "");
    add(kTcp, 443, 4000, "");
    add(kTcp, 80, 4000, "");
    STRCMP_EQUAL("dns http dhcp tls ", has().c_str());
}

TEST(JoyProtocols, what_joy_took_a_side_for_counts_as_a_port) {
    add(kTcp, 8080, 4000, "", 80);
    add(kTcp, 8443, 4000, "", 443);
    add(kUdp, 5353, 5353, "", 53);
    STRCMP_EQUAL("dns http tls ", has().c_str());
}

TEST(JoyProtocols, one_packet_may_be_of_two_protocols) {
    add(kTcp, 443, 80, "GET / HTTP/1.1\r\nA: 1\r\n\r\n");
    STRCMP_EQUAL("http tls ", has().c_str());
}

TEST(JoyProtocols, fifty_dns_messages_of_thirteen_octets_are_kept) {
    add(kUdp, 4000, 53, "twelve octet");
    for (int i = 0; i < 51; ++i) {
        add(kUdp, 4000, 53, "thirteen octs");
    }
    proto::JoyDns dns;
    CHECK_TRUE(protocols.fill(dns));
    CHECK_EQUAL(50, dns.messages_size());
    STRCMP_EQUAL("thirteen octs", dns.messages(0).c_str());
}

TEST(JoyProtocols, fifty_dns_messages_of_ethernets_longest_are_kept) {
    for (int i = 0; i < 51; ++i) {
        add(kUdp, 4000, 53, std::string(1472, 'x'));
    }
    proto::JoyDns dns;
    CHECK_TRUE(protocols.fill(dns));
    CHECK_EQUAL(50, dns.messages_size());
}

TEST(JoyProtocols, dns_messages_are_kept_up_to_74_kib) {
    const std::string half(37 * 1024, 'x');
    add(kUdp, 4000, 53, half);
    add(kUdp, 4000, 53, half + "x");
    add(kUdp, 4000, 53, half);
    add(kUdp, 4000, 53, "thirteen octs");
    proto::JoyDns dns;
    CHECK_TRUE(protocols.fill(dns));
    CHECK_EQUAL(2, dns.messages_size());
}

TEST(JoyProtocols, fifteen_http_messages_are_kept) {
    add(kTcp, 4000, 80, "no head at all");
    for (int i = 0; i < 16; ++i) {
        add(kTcp, 4000, 80, "GET / HTTP/1.1\r\nA: 1\r\n\r\n");
    }
    proto::JoyHttp http;
    CHECK_TRUE(protocols.fill(http));
    CHECK_EQUAL(15, http.messages_size());
    STRCMP_EQUAL("GET", http.messages(14).first().c_str());
}

TEST(JoyProtocols, sixteen_dhcp_messages_with_the_cookie_are_kept) {
    const std::string fields(236, '\1');
    add(kUdp, 68, 67, fields);
    add(kUdp, 68, 67, fields + "\x63\x82\x53\x64");
    add(kUdp, 68, 67, fields + "\x63\x82\x53\x63");
    add(kUdp, 68, 67, fields + "\x63\x82\x53\x63" + std::string(3000, '\0'));
    proto::JoyDhcp dhcp;
    CHECK_TRUE(protocols.fill(dhcp));
    CHECK_EQUAL(2, dhcp.messages_size());
    CHECK_EQUAL(240u, dhcp.messages(0).size());
    CHECK_EQUAL(2048u, dhcp.messages(1).size());
    for (int i = 0; i < 16; ++i) {
        add(kUdp, 68, 67, fields + "\x63\x82\x53\x63");
    }
    CHECK_TRUE(protocols.fill(dhcp));
    CHECK_EQUAL(16, dhcp.messages_size());
}

}  // namespace curlew::probe

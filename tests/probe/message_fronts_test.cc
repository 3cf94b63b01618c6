#include "probe/message_fronts.h"

#include <string>
#include <string_view>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

MessageKind front_of_datagram(uint16_t port,
                              const Octets& payload,
                              MessageKind hint = MessageKind::none) {
    const Packet packet =
        PacketBuilder{}.ipv4("10.0.0.1", "10.0.0.2").udp(3000, port).payload(payload).build();
    ParsedPacket parsed;
    CHECK(ParseResult::metered == parse_packet(packet.view(), {}, parsed));
    return datagram_kind(parsed, hint);
}

StreamFront front(std::string_view text, MessageKind hint = MessageKind::none) {
    return stream_front({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, hint);
}

StreamFront front(const Octets& octets, MessageKind hint = MessageKind::none) {
    return stream_front(octets, hint);
}

bool is(const StreamFront& front, MessageKind kind) {
    return front.match == FrontMatch::yes && front.kind == kind;
}

const Octets kFrontQuestion = from_hex("1234 0100 0001 0000 0000 0000 0161 00 0001 0001");

}  // namespace

TEST_GROUP(MessageFronts){};

TEST(MessageFronts, the_port_tells_the_three_kinds_of_dns_apart) {
    CHECK(MessageKind::dns == front_of_datagram(53, kFrontQuestion));
    // It wants recursion.
    CHECK(MessageKind::dns == front_of_datagram(5353, kFrontQuestion));
    CHECK(MessageKind::llmnr == front_of_datagram(5355, kFrontQuestion));
    CHECK(MessageKind::none == front_of_datagram(4000, kFrontQuestion));
    CHECK(MessageKind::dns == front_of_datagram(4000, kFrontQuestion, MessageKind::dns));
    Octets question = kFrontQuestion;
    question[2] = 0;
    CHECK(MessageKind::mdns == front_of_datagram(5353, question));
    CHECK(MessageKind::mdns == front_of_datagram(5353, question, MessageKind::dns));
    // What wants recursion, or tells that there is some, is unicast's.
    question[2] = 1;
    CHECK(MessageKind::dns == front_of_datagram(5353, question, MessageKind::dns));
    CHECK(MessageKind::mdns == front_of_datagram(5353, question, MessageKind::mdns));
    question[2] = 0;
    question[3] = 0x80;
    CHECK(MessageKind::dns == front_of_datagram(5353, question, MessageKind::dns));
    question[0] = question[1] = 0;
    CHECK(MessageKind::mdns == front_of_datagram(5353, question, MessageKind::dns));
}

TEST(MessageFronts, what_has_not_the_form_of_dns_is_none) {
    CHECK(MessageKind::none == front_of_datagram(53, from_hex("1234 0100 0001 0000 0000")));
    // 65,535 questions; nothing in it; a label of 191 octets.
    CHECK(MessageKind::none == front_of_datagram(53, from_hex("1234 0100 ffff 0000 0000 0000 00")));
    CHECK(MessageKind::none == front_of_datagram(53, from_hex("1234 0100 0000 0000 0000 0000 00")));
    CHECK(MessageKind::none ==
          front_of_datagram(53, from_hex("1234 0100 0001 0000 0000 0000 bf 00")));
}

TEST(MessageFronts, where_dns_is_spoken_anything_is_a_message) {
    CHECK(MessageKind::dns == front_of_datagram(53, from_hex("1234 01"), MessageKind::dns));
}

TEST(MessageFronts, a_name_that_was_not_captured_to_its_end_is_one) {
    CHECK(MessageKind::dns ==
          front_of_datagram(53, from_hex("1234 0100 0001 0000 0000 0000 09 61")));
}

TEST(MessageFronts, dhcp_has_its_cookie) {
    Octets message(240, 0);
    message[0] = 1;
    CHECK(MessageKind::none == front_of_datagram(67, message));
    const Octets cookie = from_hex("63825363");
    std::copy(cookie.begin(), cookie.end(), message.begin() + 236);
    CHECK(MessageKind::dhcp == front_of_datagram(67, message));
    CHECK(MessageKind::none == front_of_datagram(4000, message));
}

TEST(MessageFronts, ntp_has_its_length) {
    Octets message(48, 0);
    message[0] = 0x1b;
    CHECK(MessageKind::ntp == front_of_datagram(123, message));
    message.pop_back();
    CHECK(MessageKind::none == front_of_datagram(123, message));
    CHECK(MessageKind::ntp == front_of_datagram(123, from_hex("17 00 03 2a 00000000")));
    CHECK(MessageKind::none == front_of_datagram(123, Octets(48, 0xff)));
}

TEST(MessageFronts, dtls_is_kept_before_it_is_enciphered) {
    const Octets hello = from_hex("16 feff 0000 000000000000 0000");
    const Octets finished = from_hex("16 fefd 0001 000000000000 0000");
    CHECK(MessageKind::dtls == front_of_datagram(4000, hello, MessageKind::dtls));
    CHECK(MessageKind::none == front_of_datagram(4000, hello));
    CHECK(MessageKind::none == front_of_datagram(4000, finished, MessageKind::dtls));
}

TEST(MessageFronts, dtls_behind_another_protocol_is_seen_by_its_handshake) {
    const Octets hello = from_hex("16 feff 0000 000000000000 0010 01 000004 0000 000000 000004");
    CHECK(MessageKind::dtls == front_of_datagram(4000, hello));
    CHECK(MessageKind::none ==
          front_of_datagram(4000, from_hex("16 feff 0000 000000000000 0010 80")));
    CHECK(MessageKind::none ==
          front_of_datagram(4000, from_hex("16 feff 0001 000000000000 0010 01")));
    CHECK(MessageKind::none ==
          front_of_datagram(4000, from_hex("14 fefd 0000 000000000000 0001 01")));
}

TEST(MessageFronts, ssdp_has_its_first_word) {
    const std::string search = "M-SEARCH * HTTP/1.1\r\n";
    const Octets octets(search.begin(), search.end());
    CHECK(MessageKind::ssdp == front_of_datagram(1900, octets));
    CHECK(MessageKind::none == front_of_datagram(32412, octets));
    CHECK(MessageKind::ssdp == front_of_datagram(50000, octets, MessageKind::ssdp));
    CHECK(MessageKind::none == front_of_datagram(1900, Octets{'x'}));
}

TEST(MessageFronts, igmp_is_told_by_its_number) {
    const Packet packet =
        PacketBuilder{}.ipv4("10.0.0.1", "224.0.0.251").igmp(0x16, 0, "224.0.0.251").build();
    ParsedPacket parsed;
    CHECK(ParseResult::metered == parse_packet(packet.view(), {}, parsed));
    CHECK(MessageKind::igmp == datagram_kind(parsed, MessageKind::none));
}

TEST(MessageFronts, a_request_has_a_version_where_none_is_expected) {
    CHECK(is(front("GET / HTTP/1.1\r\n"), MessageKind::http));
    CHECK(front("GET / RTSP/1.0\r\n").match == FrontMatch::no);
    CHECK(is(front("GET /\r\n", MessageKind::http), MessageKind::http));
    CHECK(is(front("HTTP/1.1 200"), MessageKind::http));
    CHECK(front("HTTP/2 200").match == FrontMatch::no);
    CHECK(is(front("GET / HTTP/1.1"), MessageKind::http));
    CHECK(is(front("GET /goes/on"), MessageKind::http));
    CHECK(front("GET up and go").match == FrontMatch::no);
    CHECK(front("get / HTTP/1.1\r\n").match == FrontMatch::no);
}

TEST(MessageFronts, the_first_version_of_http_says_none) {
    CHECK(is(front("GET /a?b=c\r\n\r\n"), MessageKind::http));
    CHECK(is(front("GET /a\n"), MessageKind::http));
    CHECK(front("GET /a\r\nand more").match == FrontMatch::no);
    CHECK(front("GET it/a\r\n").match == FrontMatch::no);
    CHECK(front("POST /a\r\n").match == FrontMatch::no);
}

TEST(MessageFronts, a_request_line_may_end_in_its_version) {
    CHECK(is(front("GET /sf.net_box.gif HTT"), MessageKind::http));
    CHECK(is(front("GET http://a/ "), MessageKind::http));
    CHECK(front("GET /up and go").match == FrontMatch::no);
    CHECK(front("GET /a HTTP/2").match == FrontMatch::no);
}

TEST(MessageFronts, http2_begins_with_a_preface_or_settings) {
    CHECK(is(front("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), MessageKind::http2));
    CHECK(front("PRI * HT").match == FrontMatch::maybe);
    CHECK(front("PRINT ME").match == FrontMatch::no);
    CHECK(is(front(from_hex("000012 04 00 00000000 0003")), MessageKind::http2));
    CHECK(is(front(from_hex("000000 04 01 00000000")), MessageKind::http2));
    CHECK(front(from_hex("000012 04 00")).match == FrontMatch::maybe);
    CHECK(front(from_hex("000010 04 00 00000000 0003")).match == FrontMatch::no);
    CHECK(front(from_hex("000012 04 00 00000001 0003")).match == FrontMatch::no);
}

TEST(MessageFronts, a_few_octets_may_become_a_front) {
    CHECK(front("G").match == FrontMatch::maybe);
    CHECK(front("HTTP").match == FrontMatch::maybe);
    CHECK(front("GET ").match == FrontMatch::maybe);
    CHECK(front("SS").match == FrontMatch::maybe);
    CHECK(front("X").match == FrontMatch::no);
    CHECK(front(from_hex("16 03 01")).match == FrontMatch::maybe);
    CHECK(front(from_hex("16 02")).match == FrontMatch::no);
}

TEST(MessageFronts, a_hello_is_seen_and_other_records_where_tls_is_known) {
    const Octets hello = from_hex("16 0301 0200 01 0001fc 0303");
    const Octets certificate = from_hex("16 0303 0200 0b 0001fc");
    CHECK(is(front(hello), MessageKind::tls));
    CHECK(front(certificate).match == FrontMatch::no);
    CHECK(is(front(certificate, MessageKind::tls), MessageKind::tls));
    CHECK(is(front(from_hex("802e 01 0301 0015"), MessageKind::tls), MessageKind::tls));
    CHECK(front(from_hex("17 0303 0020"), MessageKind::tls).match == FrontMatch::no);
}

TEST(MessageFronts, a_hello_is_seen_whose_first_record_holds_hardly_any_of_it) {
    CHECK(is(front(from_hex("16 0301 0001 01 16 0301 01fb 0001f8")), MessageKind::tls));
    CHECK(is(front(from_hex("16 0301 0002 0100 16 0303 01fb")), MessageKind::tls));
    CHECK(front(from_hex("16 0301 0002 01")).match == FrontMatch::maybe);
    CHECK(front(from_hex("16 0301 0001 01 17 0303 01fb 0000")).match == FrontMatch::no);
}

TEST(MessageFronts, ssh_and_smb_have_their_names) {
    CHECK(is(front("SSH-2.0-x"), MessageKind::ssh));
    CHECK(is(front(from_hex("00 000085 ff534d42")), MessageKind::smb));
    CHECK(is(front(from_hex("00 000085 fe534d42")), MessageKind::smb));
    CHECK(front(from_hex("00 000085 fb534d42")).match == FrontMatch::no);
}

TEST(MessageFronts, dns_over_tcp_is_told_by_hint_or_port) {
    FlowKey key;
    key.low_port = 3000;
    key.high_port = 4000;
    CHECK(MessageKind::none == dns_kind(key, MessageKind::none));
    CHECK(MessageKind::dns == dns_kind(key, MessageKind::dns));
    key.high_port = 53;
    CHECK(MessageKind::dns == dns_kind(key, MessageKind::none));
    CHECK(MessageKind::none == dns_kind(key, MessageKind::ssh));
    key.high_port = 5353;
    CHECK(MessageKind::mdns == dns_kind(key, MessageKind::none));
    CHECK(MessageKind::mdns == dns_kind(key, MessageKind::mdns));
    CHECK(MessageKind::mdns == dns_kind(key, MessageKind::dns));
    key.protocol = kProtocolTcp;
    CHECK(MessageKind::dns == dns_kind(key, MessageKind::dns));
    key.high_port = 5355;
    CHECK(MessageKind::llmnr == dns_kind(key, MessageKind::dns));
}

TEST(MessageFronts, a_signature_tells_by_its_protocol) {
    CHECK(MessageKind::http == message_kind_of("http"));
    CHECK(MessageKind::ssh == message_kind_of("ssh"));
    CHECK(MessageKind::quic == message_kind_of("quic"));
    CHECK(MessageKind::none == message_kind_of("coap"));
}

#include "probe/stream_cutter.h"

#include <string>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/probe/cutter_fixture.h"
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

TEST_GROUP_BASE(StreamCutter, CutDirection){};

TEST(StreamCutter, a_head_ends_with_an_empty_line) {
    cut(text("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody"));
    cut(text("more body"));
    cut(text("HTTP/1.1 200 OK\n\n"));
    STRCMP_EQUAL("[GET / HTTP/1.1\r\nHost: a\r\n\r\n][HTTP/1.1 200 OK\n\n]", messages().c_str());
}

TEST(StreamCutter, a_head_may_come_octet_by_octet) {
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    hint = MessageKind::http;
    for (const char letter : head) {
        cut(text(std::string(1, letter)));
    }
    cut(text("body"));
    STRCMP_EQUAL(("[" + head + "]").c_str(), messages().c_str());
}

TEST(StreamCutter, empty_lines_and_a_proxys_header_before_a_message_are_passed_over) {
    cut(text("\r\n\r\nGET /1 HTTP/1.1\r\n\r\n"));
    cut(text("\r\n"));
    cut(text("\nGE"));
    cut(text("T /2 HTTP/1.1\r\n\r\n"));
    cut(text("PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\nGET /3 HTTP/1.1\r\n\r\n"));
    STRCMP_EQUAL("[GET /1 HTTP/1.1\r\n\r\n][GET /2 HTTP/1.1\r\n\r\n][GET /3 HTTP/1.1\r\n\r\n]",
                 messages().c_str());
}

TEST(StreamCutter, behind_more_empty_lines_than_four_no_message_is_seen) {
    cut(text("\n\n\n\nGET /4 HTTP/1.1\r\n\r\n"));
    cut(text("\n\n\n\n\nGET /5 HTTP/1.1\r\n\r\n"));
    STRCMP_EQUAL("[GET /4 HTTP/1.1\r\n\r\n]", messages().c_str());
}

TEST(StreamCutter, behind_empty_lines_too_who_answered_asks_nothing) {
    cut(text("HTTP/1.1 200 OK\r\n\r\n"));
    cut(text("\r\nHTTP/1.1 404 Not Found\r\n\r\n"));
    cut(text("\r\nGET / HTTP/1.1\r\n\r\n"));
    STRCMP_EQUAL("[HTTP/1.1 200 OK\r\n\r\n][HTTP/1.1 404 Not Found\r\n\r\n]", messages().c_str());
}

TEST(StreamCutter, several_heads_may_stand_in_one_segment) {
    cut(text("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET some of the body"));
    cut(text("GET more of it"));
    STRCMP_EQUAL("[GET /1 HTTP/1.1\r\n\r\n][GET /2 HTTP/1.1\r\n\r\n]", messages().c_str());
}

TEST(StreamCutter, a_pipelined_head_may_go_on_where_http_is_known) {
    hint = MessageKind::http;
    cut(text("GET /1 HTTP/1.1\r\n\r\nGET /2 HT"));
    cut(text("TP/1.1\r\n\r\n"));
    STRCMP_EQUAL("[GET /1 HTTP/1.1\r\n\r\n][GET /2 HTTP/1.1\r\n\r\n]", messages().c_str());
}

TEST(StreamCutter, a_long_head_is_cut) {
    cut(joined(text("GET / HTTP/1.1\r\n"), Octets(9000, 'a')));
    cut(text("b\r\n\r\n"));
    cut(text("HTTP/1.1 200 OK\r\n\r\n"));
    CHECK(messages() == "[GET / HTTP/1.1\r\n" + std::string(kHttpHeadOctets - 16, 'a') +
                            "!][HTTP/1.1 200 OK\r\n\r\n]");
    CHECK_TRUE(bound_reached);
}

TEST(StreamCutter, a_hole_ends_a_head) {
    cut(text("GET / HTTP/1.1\r\nA"));
    cut(text("GET /2 HTTP/1.1\r\n\r\n"), true);
    STRCMP_EQUAL("[GET / HTTP/1.1\r\nA!][GET /2 HTTP/1.1\r\n\r\n]", messages().c_str());
}

TEST(StreamCutter, tls_is_kept_up_to_application_data) {
    const Octets hello = from_hex("16 0301 0006 01 000002 0303");
    const Octets change = from_hex("14 0303 0001 01");
    cut(joined(hello, change));
    cut(from_hex("17 0303 0002 5a5a"));
    cut(hello);
    const Octets kept = joined(hello, change);
    CHECK(messages() == "[" + std::string(kept.begin(), kept.end()) + "]");
    CHECK(side.step == CutStep::off);
    CHECK_FALSE(bound_reached);
}

TEST(StreamCutter, a_tls_record_may_come_octet_by_octet) {
    const Octets hello = from_hex("16 0301 0006 01 000002 0303");
    for (const uint8_t octet : hello) {
        cut({octet});
    }
    cut({0x17});
    CHECK(messages() == "[" + std::string(hello.begin(), hello.end()) + "]");
}

TEST(StreamCutter, tls_is_bounded) {
    cut(joined(from_hex("16 0301 4000 01 003ffc 0303"), Octets(20000, 'a')));
    CHECK_EQUAL(kTlsOctets + sizeof(StoredPiece), pieces.octets);
    CHECK_TRUE(bound_reached);
    CHECK(side.step == CutStep::off);
}

TEST(StreamCutter, a_hole_ends_tls) {
    cut(from_hex("16 0301 0100 01 0000fc 0303"));
    cut(from_hex("16 0301 0006 01 000002 0303"), true);
    CHECK(side.step == CutStep::off);
    const std::string all = messages();
    STRCMP_EQUAL("!]", all.substr(all.size() - 2).c_str());
}

TEST(StreamCutter, ssh_is_kept_up_to_the_first_packet) {
    cut(text("SSH-2.0-x\r\n"));
    cut(from_hex("0000 0004 04 14 61 62 63"));
    STRCMP_EQUAL("[SSH-2.0-x\r\n", messages().c_str());  // what follows begins with a zero
    CHECK_EQUAL(19u + 2 * sizeof(StoredPiece), pieces.octets);
    CHECK(side.step == CutStep::off);
}

TEST(StreamCutter, dns_messages_lose_their_lengths) {
    dns = MessageKind::dns;
    const std::string message = "AB\1" + std::string(1, '\0') + std::string("\0\1\0\0\0\0\0\0a", 9);
    Octets stream = joined(from_hex("000d"), text(message));
    stream = joined(stream, stream);
    cut(stream);
    for (const uint8_t octet : stream) {
        cut({octet});
    }
    const std::string one = "[" + message + "]";
    CHECK(messages() == one + one + one + one);
}

TEST(StreamCutter, what_is_no_dns_is_not_kept) {
    dns = MessageKind::dns;
    cut(text("GET / HTTP/1.1\r\n\r\n"));
    CHECK_EQUAL(0u, pieces.octets);
    CHECK(side.step == CutStep::off);
}

TEST(StreamCutter, of_smb_the_fronts_are_kept) {
    const Octets front = from_hex("ff534d42");
    cut(joined(joined(from_hex("00 000006"), front), text("ab")));
    cut(joined(joined(from_hex("00 00012c"), front), Octets(200, 'c')));
    cut(Octets(96, 'd'));
    cut(joined(joined(from_hex("00 000004"), front), text("body of another")));
    CHECK(messages() ==
          "[\xffSMBab][\xffSMB" + std::string(200, 'c') + std::string(52, 'd') + "!][\xffSMB]");
}

TEST(StreamCutter, fronts_of_smb_are_bounded) {
    for (int i = 0; i < kSmbFronts + 8; ++i) {
        cut(from_hex("00 000006 fe534d42 4000"));
    }
    CHECK_EQUAL(kSmbFronts, pieces.messages);
    CHECK_TRUE(bound_reached);
}

TEST(StreamCutter, another_protocol_may_follow_a_head) {
    hint = MessageKind::http;
    cut(text("CONNECT a:443 HTTP/1.1\r\n\r\n"));
    cut(from_hex("16 0301 0006 01 000002 0303"));
    CHECK_EQUAL(2u, pieces.messages);
    CHECK(side.kind == MessageKind::tls);
}

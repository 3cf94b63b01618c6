#include "probe/joy_http.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::probe {
namespace {

using std::string_literals::operator""s;

// "first|second|third|name=value|...|body:octets" or "no message".
std::string read(const std::string& payload) {
    proto::JoyHttpMessage message;
    if (!read_joy_http({reinterpret_cast<const uint8_t*>(payload.data()), payload.size()},
                       message)) {
        return "no message";
    }
    std::string text;
    if (message.line() != proto::JOY_HTTP_LINE_UNSPECIFIED) {
        text = (message.line() == proto::JOY_HTTP_LINE_STATUS ? "S " : "R ") + message.first() +
               "|" + message.second() + "|" + message.third();
    }
    for (const proto::JoyHttpHeader& header : message.headers()) {
        text += "|" + header.name() + "=" + header.value();
    }
    std::string body = message.body();
    for (char& octet : body) {
        octet = octet == 0 ? '0' : octet;
    }
    return message.has_body() ? text + "|body:" + body : text;
}

}  // namespace

TEST_GROUP(JoyHttp){};

TEST(JoyHttp, a_request_is_three_parts_and_headers) {
    STRCMP_EQUAL("R GET|/feed|HTTP/1.0|Host=a.net|Connection=close|body:0000000000000000",
                 read("GET /feed HTTP/1.0\r\nHost: a.net\r\nConnection: close\r\n\r\n").c_str());
}

TEST(JoyHttp, a_status_line_begins_with_http) {
    STRCMP_EQUAL("S HTTP/1.1|304|Not Modified|Age=1|body:0000000000000000",
                 read("HTTP/1.1 304 Not Modified\r\nAge: 1\r\n\r\n").c_str());
}

TEST(JoyHttp, sixteen_octets_of_a_body_are_kept_and_filled_with_zeros) {
    const std::string head = "HTTP/1.1 200 OK\r\nAge: 1\r\n\r\n";
    STRCMP_EQUAL("S HTTP/1.1|200|OK|Age=1|body:\x89PNG000000000000",
                 read(head + "\x89PNG").c_str());
    STRCMP_EQUAL("S HTTP/1.1|200|OK|Age=1|body:ABCDEFGHIJKLMNOP",
                 read(head + "ABCDEFGHIJKLMNOPQRSTUVWXYZ").c_str());
}

TEST(JoyHttp, what_json_could_stumble_over_becomes_a_full_stop) {
    STRCMP_EQUAL("R GET|/.a.|HTTP/1.1|ETag=.x.y...|body:0000000000000000",
                 read("GET /\"a\\ HTTP/1.1\r\nETag: \"x\ty\x7f\xc3\"\r\n\r\n").c_str());
}

TEST(JoyHttp, a_head_in_pieces_is_none) {
    STRCMP_EQUAL("no message", read("GET /feed HTTP/1.0\r\nHost: a.net\r\n").c_str());
    STRCMP_EQUAL("no message", read("GET /feed HTTP/1.0").c_str());
    STRCMP_EQUAL("no message", read("").c_str());
    STRCMP_EQUAL("no message", read("\x17\3\3 no text at all"s).c_str());
}

TEST(JoyHttp, a_start_line_of_two_parts_is_none) {
    STRCMP_EQUAL("no message", read("GET /feed\r\nHost: a.net\r\n\r\n").c_str());
}

TEST(JoyHttp, a_header_without_a_value_spoils_all_but_the_last) {
    STRCMP_EQUAL("no message", read("GET / HTTP/1.1\r\nA:\r\nB: 2\r\n\r\n").c_str());
    STRCMP_EQUAL("R GET|/|HTTP/1.1|A=1|body:0000000000000000",
                 read("GET / HTTP/1.1\r\nA: 1\r\nB:\r\n\r\n").c_str());
}

TEST(JoyHttp, a_header_without_a_name_is_left_out) {
    STRCMP_EQUAL("R GET|/|HTTP/1.1|B=2|body:0000000000000000",
                 read("GET / HTTP/1.1\r\n: 1\r\nB: 2\r\n\r\n").c_str());
}

TEST(JoyHttp, spaces_and_colons_belong_to_a_value_that_has_begun) {
    STRCMP_EQUAL("R GET|/|HTTP/1.1|Date=Thu, 02 Aug 2018 07:15:26 GMT|body:0000000000000000",
                 read("GET / HTTP/1.1\r\nDate:   Thu, 02 Aug 2018 07:15:26 GMT\r\n\r\n").c_str());
}

// The last octet of the head is then taken for the first of the body.
TEST(JoyHttp, a_head_that_ends_with_its_start_line_has_a_body_alone) {
    STRCMP_EQUAL("|body:.AB0000000000000", read("GET / HTTP/1.0\r\n\r\nAB").c_str());
}

TEST(JoyHttp, thirty_two_headers_are_read_and_then_no_body) {
    std::string request = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 33; ++i) {
        request += "A: 1\r\n";
    }
    proto::JoyHttpMessage message;
    request += "\r\n";
    CHECK_TRUE(
        read_joy_http({reinterpret_cast<const uint8_t*>(request.data()), request.size()}, message));
    CHECK_EQUAL(32, message.headers_size());
    CHECK_FALSE(message.has_body());
}

TEST(JoyHttp, a_head_longer_than_the_copy_is_none) {
    const std::string begin = "GET / HTTP/1.1\r\nA: ";
    const std::string end = "\r\n\r\n";
    const size_t room = 2048 - 16;
    const std::string fits(room - begin.size() - end.size(), 'x');
    CHECK_TRUE(read(begin + fits + end) != "no message");
    STRCMP_EQUAL("no message", read(begin + fits + "x" + end).c_str());
}

}  // namespace curlew::probe

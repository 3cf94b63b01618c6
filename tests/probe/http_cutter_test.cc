#include "probe/http_cutter.h"

#include <string>

// After everything else: it takes CppUTest's macros with it.
#include "tests/probe/cutter_fixture.h"
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

const std::string kPost = "POST /1 HTTP/1.1\r\nContent-LENGTH: 0012\r\n\r\n";
const std::string kGet = "GET /2 HTTP/1.1\r\n\r\n";
const std::string kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kAnswer = "HTTP/1.1 204 No Content\r\n\r\n";

std::string kept(const std::string& first, const std::string& second) {
    return "[" + first + "][" + second + "]";
}

}  // namespace

TEST_GROUP_BASE(HttpCutter, CutDirection){};

TEST(HttpCutter, a_head_as_long_as_may_be_kept_is_whole) {
    const std::string line = "POST /1 HTTP/1.1\r\nContent-Length: 12\r\n";
    const std::string head =
        line + std::string(kHttpHeadOctets - line.size() - 4, 'a') + "\r\n\r\n";
    cut(text(head + kGet.substr(0, 12)));
    cut(text(kGet));
    STRCMP_EQUAL(kept(head, kGet).c_str(), messages().c_str());
}

TEST(HttpCutter, a_head_follows_a_body_of_known_length) {
    cut(text(kPost + "twelve octet" + kGet + "more"));
    STRCMP_EQUAL(kept(kPost, kGet).c_str(), messages().c_str());
}

TEST(HttpCutter, a_body_of_known_length_may_come_octet_by_octet) {
    cut_singly(text(kPost + "twelve octet" + kGet));
    STRCMP_EQUAL(kept(kPost, kGet).c_str(), messages().c_str());
    CHECK(side.step == CutStep::front);
}

TEST(HttpCutter, a_body_is_no_head) {
    cut(text("POST /1 HTTP/1.1\r\nContent-Length: 40\r\n\r\nsee"));
    cut(text(" it:\r\n"));
    hint = MessageKind::http;
    cut(text("GET me some milk"));
    cut(text(" and some bread" + kGet));
    STRCMP_EQUAL(kept("POST /1 HTTP/1.1\r\nContent-Length: 40\r\n\r\n", kGet).c_str(),
                 messages().c_str());
}

TEST(HttpCutter, the_last_length_counts) {
    const std::string head = "POST /1 HTTP/1.1\r\nContent-Length:99\r\nContent-Length:7, 4\r\n\r\n";
    cut(text(head + "four" + kGet));
    STRCMP_EQUAL(kept(head, kGet).c_str(), messages().c_str());
}

TEST(HttpCutter, a_length_longer_than_can_be_counted_hides_no_segment) {
    const std::string head = "POST /1 HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    cut(text(head));
    cut(text("body"));
    cut(text(kGet));
    STRCMP_EQUAL(kept(head, kGet).c_str(), messages().c_str());
}

TEST(HttpCutter, a_requests_body_is_no_head_whatever_it_says) {
    const std::string head = "POST /1 HTTP/1.1\r\nContent-Length: 38\r\n\r\n";
    // In one segment, in its own, and octet by octet.
    cut(text(head + kGet + kGet + kGet));
    cut(text(head));
    cut(text(kGet + kGet));
    cut(text(kGet));
    cut_singly(text(head + kGet + kGet + kGet));
    STRCMP_EQUAL((kept(head, kGet) + kept(head, kGet) + kept(head, kGet)).c_str(),
                 messages().c_str());
}

TEST(HttpCutter, chunks_of_a_request_are_no_heads) {
    const std::string head = "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    cut(text(head));
    cut(text("26\r\n"));
    cut(text(kGet));
    cut(text(kGet + "\r\n0\r\n\r\n" + kGet));
    STRCMP_EQUAL(kept(head, kGet).c_str(), messages().c_str());
}

TEST(HttpCutter, a_request_that_waits_for_leave_may_go_without_its_body) {
    const std::string head =
        "PUT /1 HTTP/1.1\r\nContent-Length: 5000\r\nexpect: 100-continue\r\n\r\n";
    cut(text(head));
    cut(text(kGet));
    STRCMP_EQUAL(kept(head, kGet).c_str(), messages().c_str());
}

TEST(HttpCutter, the_answer_to_head_has_no_body) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    cut(text(head + kAnswer));
    cut(text(head));
    cut(text(kAnswer));
    STRCMP_EQUAL((kept(head, kAnswer) + kept(head, kAnswer)).c_str(), messages().c_str());
}

TEST(HttpCutter, an_answer_without_a_body_by_its_status_has_none_whatever_it_says) {
    for (const char* status : {"304 Not Modified", "204 No Content", "103 Early Hints"}) {
        CutDirection direction;
        const std::string head =
            "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: 500\r\n\r\n";
        // The answer after it begins in this segment, and the rest of it comes in the next one.
        direction.cut(text(head + "HTT"));
        direction.cut(text(kAnswer.substr(3) + head));
        direction.cut_singly(text(kAnswer));
        STRCMP_EQUAL((kept(head, kAnswer) + kept(head, kAnswer)).c_str(),
                     direction.messages().c_str());
    }
}

TEST(HttpCutter, the_body_of_an_answer_that_has_one_is_passed_over) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
    cut(text(head + "HTT"));
    cut(text("ABC" + kAnswer));
    STRCMP_EQUAL(kept(head, kAnswer).c_str(), messages().c_str());
}

TEST(HttpCutter, what_asks_is_content_of_who_answered) {
    const std::string hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10);
    const std::string server_hello("\x16\x03\x03\x00\x05\x02\x00\x00\x01\x03", 10);
    for (const std::string& content : {kGet, hello}) {
        for (const std::string& head :
             {std::string("HTTP/1.1 200 OK\r\n\r\n"),
              std::string("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n"),
              kAnswer}) {
            side = {};
            pieces = {};
            cut(text(head));
            cut(text(content));
            STRCMP_EQUAL(("[" + head + "]").c_str(), messages().c_str());
        }
    }
    // Behind a proxy's answer the other end answers.
    side = {};
    pieces = {};
    cut(text("HTTP/1.1 200 Established\r\n\r\n"));
    cut(text(server_hello));
    STRCMP_CONTAINS(server_hello.substr(0, 3).c_str(), messages().c_str());
}

TEST(HttpCutter, a_head_follows_chunks) {
    const std::string body =
        "4;name=\"1\"\r\nfour\r\n00A \r\nten octets\r\n0\r\nExpires: never\r\n\r\n";
    cut(text(kChunked + body + kAnswer));
    cut_singly(text(kChunked + body + kAnswer));
    STRCMP_EQUAL((kept(kChunked, kAnswer) + kept(kChunked, kAnswer)).c_str(), messages().c_str());
}

TEST(HttpCutter, what_is_no_size_of_a_chunk_ends_the_body) {
    for (const char* size : {"four\r\n", ";\r\n", "123456789\r\n"}) {
        cut(text(kChunked + size + kAnswer));
        CHECK(side.step == CutStep::front);
    }
    cut(text(kAnswer));
    CHECK_EQUAL(4u, pieces.messages);
}

TEST(HttpCutter, a_hole_ends_a_body) {
    cut(text(kPost + "tw"));
    cut(text("et" + kGet), true);
    cut(text(kGet));
    STRCMP_EQUAL(kept(kPost, kGet).c_str(), messages().c_str());
}

#include "collector/protocols/http.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string http_object(std::string_view octets, bool cut = false) {
    const HttpHead head = decode_http(octets, cut);
    JsonLine json;
    json.start_object();
    write_http(json, head);
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text + (head.malformed ? " malformed" : "");
}

}  // namespace

TEST_GROUP(Http){};

TEST(Http, a_request_tells_its_line_and_fields) {
    STRCMP_EQUAL(
        R"({"method":"GET","uri":"/a b","version":"HTTP/1.1","host":"x.example",)"
        R"("user_agent":"tool/1","headers":[{"name":"HOST","value":"x.example"},)"
        R"({"name":"User-Agent","value":"tool/1"}]})",
        http_object("GET /a b HTTP/1.1\r\nHOST:x.example \r\nUser-Agent: tool/1\r\n\r\n").c_str());
}

TEST(Http, a_response_tells_its_code) {
    STRCMP_EQUAL(R"({"version":"HTTP/1.0","code":404,"reason":"Not Found",)"
                 R"("content_type":"text/html","headers":[{"name":"Content-Type",)"
                 R"("value":"text/html"}]})",
                 http_object("HTTP/1.0 404 Not Found\nContent-Type: text/html\n\n").c_str());
    STRCMP_EQUAL(R"({"version":"HTTP/1.1","code":200,"reason":"","headers":[]})",
                 http_object("HTTP/1.1 200\r\n\r\n").c_str());
}

TEST(Http, a_folded_value_is_one) {
    STRCMP_EQUAL(R"({"method":"GET","uri":"/","version":"HTTP/1.1",)"
                 R"("headers":[{"name":"A","value":"b c"}]})",
                 http_object("GET / HTTP/1.1\r\nA: b\r\n  c\r\n\r\n").c_str());
}

TEST(Http, a_field_without_a_colon_is_malformed) {
    STRCMP_EQUAL(R"({"method":"GET","uri":"/","version":"HTTP/1.1",)"
                 R"("headers":[{"name":"A","value":"b"}]} malformed)",
                 http_object("GET / HTTP/1.1\r\nno field\r\nA: b\r\n\r\n").c_str());
}

TEST(Http, a_code_that_is_none_is_malformed) {
    STRCMP_EQUAL(R"({"version":"HTTP/1.1","headers":[]} malformed)",
                 http_object("HTTP/1.1 2x0 OK\r\n\r\n").c_str());
}

TEST(Http, a_head_that_stops_is_malformed_unless_it_was_cut) {
    STRCMP_EQUAL(R"({"method":"GET","uri":"/","version":"HTTP/1.1","headers":[]} malformed)",
                 http_object("GET / HTTP/1.1\r\nHost: x").c_str());
    STRCMP_EQUAL(R"({"method":"GET","uri":"/","version":"HTTP/1.1","headers":[]})",
                 http_object("GET / HTTP/1.1\r\nHost: x", true).c_str());
    STRCMP_EQUAL(R"({"method":"GET","uri":"/long","headers":[]})",
                 http_object("GET /long", true).c_str());
    STRCMP_EQUAL(R"({"headers":[]} malformed)", http_object("").c_str());
}

TEST(Http, a_first_line_that_was_cut_tells_what_is_whole) {
    const auto cut = [](std::string_view line) { return http_object(line, true); };
    STRCMP_EQUAL(R"({"headers":[]})", cut("").c_str());
    STRCMP_EQUAL(R"({"headers":[]})", cut("GE").c_str());
    STRCMP_EQUAL(R"({"method":"GET","headers":[]})", cut("GET ").c_str());
    for (const char* rest : {"", " ", " H", " HTTP/", " HTTP/1."}) {
        STRCMP_EQUAL(R"({"method":"GET","uri":"/a b","headers":[]})",
                     cut(std::string("GET /a b") + rest).c_str());
    }
    for (const char* rest : {" HTTP/1.1", " HTTP/1.1\r"}) {
        STRCMP_EQUAL(R"({"method":"GET","uri":"/a","version":"HTTP/1.1","headers":[]})",
                     cut(std::string("GET /a") + rest).c_str());
    }
    // The target's own word.
    STRCMP_EQUAL(R"({"method":"GET","uri":"/a HTML","headers":[]})", cut("GET /a HTML").c_str());
    for (const char* line : {"HTTP/", "HTTP/1."}) {
        STRCMP_EQUAL(R"({"headers":[]})", cut(line).c_str());
    }
    for (const char* line : {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20"}) {
        STRCMP_EQUAL(R"({"version":"HTTP/1.1","headers":[]})", cut(line).c_str());
    }
    STRCMP_EQUAL(R"({"version":"HTTP/1.1","code":200,"reason":"","headers":[]})",
                 cut("HTTP/1.1 200\r").c_str());
    STRCMP_EQUAL(R"({"version":"HTTP/1.1","code":404,"reason":"Not Fo","headers":[]})",
                 cut("HTTP/1.1 404 Not Fo").c_str());
    STRCMP_EQUAL(R"({"version":"HTTP/1.1","headers":[]} malformed)", cut("HTTP/1.1 2x0").c_str());
}

}  // namespace curlew::collector

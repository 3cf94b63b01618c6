#include "collector/metrics_pages.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(MetricsPages) {
    struct TwoPages : MetricsPages::Source {
        Page metrics() override { return {.body = "curlew_build_info 1\n"}; }
        Page health() override { return {503, "not ready\n"}; }
    };
    TwoPages source;
    MetricsPages pages{source};

    void answers(const std::string& request, const std::string& status, const std::string& end) {
        const std::string answer = pages.answer(request);
        STRCMP_EQUAL(status.c_str(), answer.substr(0, answer.find('\r')).c_str());
        CHECK_TEXT(answer.ends_with("\r\n\r\n" + end), answer.c_str());
        STRCMP_CONTAINS("\r\nConnection: close\r\n", answer.c_str());
        STRCMP_CONTAINS(("\r\nContent-Length: " + std::to_string(end.size()) + "\r\n").c_str(),
                        answer.c_str());
    }
};

TEST(MetricsPages, there_are_two) {
    answers("GET /metrics HTTP/1.1", "HTTP/1.1 200 OK", "curlew_build_info 1\n");
    STRCMP_CONTAINS("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
                    pages.answer("GET /metrics HTTP/1.0").c_str());
    answers("GET /healthz HTTP/1.1", "HTTP/1.1 503 Service Unavailable", "not ready\n");
}

TEST(MetricsPages, nothing_else_is_there_or_allowed) {
    answers("GET / HTTP/1.1", "HTTP/1.1 404 Not Found", "");
    answers("GET /metrics/ HTTP/1.1", "HTTP/1.1 404 Not Found", "");
    answers("POST / HTTP/1.1", "HTTP/1.1 404 Not Found", "");
    for (const char* method : {"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PRI"}) {
        answers(std::string(method) + " /metrics HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", "");
    }
}

TEST(MetricsPages, what_is_no_request_is_told_so) {
    for (const char* line : {"x",
                             "GET /metrics",
                             "GET /metrics HTTP/2",
                             "GET  /metrics HTTP/1.1 x",
                             "MAKE /metrics HTTP/1.1",
                             "GET /metrics?a?b HTTP/1.1"}) {
        answers(line, "HTTP/1.1 400 Bad Request", "");
    }
}

}  // namespace curlew::collector

#include "collector/joy_http.h"

#include <string>

#include "tests/collector/joy_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

proto::JoyHttpMessage& add(proto::JoyHttp& side,
                           proto::JoyHttpLine line,
                           const char* first = "",
                           const char* second = "",
                           const char* third = "") {
    proto::JoyHttpMessage& message = *side.add_messages();
    message.set_line(line);
    message.set_first(first);
    message.set_second(second);
    message.set_third(third);
    return message;
}

void add_header(proto::JoyHttpMessage& message, const std::string& name, const std::string& value) {
    message.add_headers()->set_name(name);
    message.mutable_headers()->rbegin()->set_value(value);
}

}  // namespace

TEST_GROUP(JoyHttpWriter) {
    proto::JoyHttp record;
    proto::JoyHttp twin;

    std::string written(const proto::JoyHttp* other) const {
        return members([&](JsonLine& json) { write_joy_http(json, record, other); });
    }
};

TEST(JoyHttpWriter, request_and_answer_make_a_pair) {
    proto::JoyHttpMessage& request =
        add(record, proto::JOY_HTTP_LINE_REQUEST, "GET", "/", "HTTP/1.1");
    add_header(request, "Host", "a.net");
    request.set_body("\0\1"s);
    add(twin, proto::JOY_HTTP_LINE_STATUS, "HTTP/1.1", "200", "OK");
    STRCMP_EQUAL(R"("http":[{"out":[{"method":"GET"},{"uri":"/"},{"version":"HTTP/1.1"},)"
                 R"({"Host":"a.net"},{"body":"0001"}],)"
                 R"("in":[{"version":"HTTP/1.1"},{"code":"200"},{"reason":"OK"}]}])",
                 written(&twin).c_str());
}

TEST(JoyHttpWriter, messages_pair_by_their_number) {
    add(record, proto::JOY_HTTP_LINE_REQUEST, "GET", "/a", "HTTP/1.1");
    add(record, proto::JOY_HTTP_LINE_REQUEST, "GET", "/b", "HTTP/1.1");
    add(twin, proto::JOY_HTTP_LINE_UNSPECIFIED).set_body("x");
    STRCMP_EQUAL(R"("http":[{"out":[{"method":"GET"},{"uri":"/a"},{"version":"HTTP/1.1"}],"in":[)"
                 R"({"body":"78"}]},)"
                 R"({"out":[{"method":"GET"},{"uri":"/b"},{"version":"HTTP/1.1"}]}])",
                 written(&twin).c_str());
    record.clear_messages();
    STRCMP_EQUAL(R"("http":[{"in":[{"body":"78"}]}])", written(&twin).c_str());
}

TEST(JoyHttpWriter, nothing_is_printed_without_messages) {
    STRCMP_EQUAL("", written(nullptr).c_str());
    STRCMP_EQUAL("", written(&twin).c_str());
}

TEST(JoyHttpWriter, text_from_the_channel_cannot_break_json) {
    proto::JoyHttpMessage& message = add(record, proto::JOY_HTTP_LINE_UNSPECIFIED);
    add_header(message, "a\"\\\n\xff", "b\"\\\n\xff");
    STRCMP_EQUAL(R"("http":[{"out":[{"a....":"b...."}]}])", written(nullptr).c_str());
}

}  // namespace curlew::collector

#include "collector/protocols/dtls_stream.h"

#include "tests/collector/protocols/tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

// "type:body", "-" behind a message that is not whole.
std::string messages_of(const DtlsStream& stream) {
    std::string text;
    for (const TlsMessage& one : stream.clear().messages) {
        text += std::to_string(one.type) + ":" + std::string(one.body) + (one.whole ? " " : "- ");
    }
    return text;
}

void check_datagrams(const char* expected,
                     bool malformed,
                     const std::vector<std::string>& datagrams) {
    const DtlsStream stream({datagrams.begin(), datagrams.end()});
    STRCMP_EQUAL(expected, messages_of(stream).c_str());
    CHECK_EQUAL(malformed, stream.clear().malformed);
}

std::string fragment_record(const std::string& body, size_t from, size_t end) {
    return dtls_record(22, dtls_fragment(1, 0, body, from, end));
}

}  // namespace

TEST_GROUP(DtlsStream){};

TEST(DtlsStream, takes_messages_out_of_records_and_datagrams) {
    check_datagrams("2:hello 11:list 14: ",
                    false,
                    {dtls_record(22, dtls_message(2, 1, "hello") + dtls_message(11, 2, "list")),
                     dtls_record(22, dtls_message(14, 3, ""))});
}

TEST(DtlsStream, puts_fragments_together_in_any_order) {
    const std::string body = "a long hello";
    check_datagrams(
        "1:a long hello ",
        false,
        {fragment_record(body, 8, 12), fragment_record(body, 0, 4), fragment_record(body, 4, 8)});
    check_datagrams(
        "1:a long hello ",
        false,
        {fragment_record(body, 0, 7) + fragment_record(body, 5, 12) + fragment_record(body, 0, 3)});
}

TEST(DtlsStream, message_that_misses_a_fragment_is_not_whole) {
    const std::string body = "a long hello";
    check_datagrams("1:a lo- ", false, {fragment_record(body, 8, 12), fragment_record(body, 0, 4)});
    check_datagrams("1:- ", false, {fragment_record(body, 8, 12)});
}

TEST(DtlsStream, a_message_sent_again_counts_once) {
    const std::string datagram = dtls_record(22, dtls_message(1, 0, "hello"));
    check_datagrams("1:hello ", false, {datagram, datagram});
}

TEST(DtlsStream, request_for_a_cookie_is_left_out) {
    check_datagrams("2:hello ",
                    false,
                    {dtls_record(22, dtls_message(3, 0, "cookie")),
                     dtls_record(22, dtls_message(2, 1, "hello"))});
}

TEST(DtlsStream, passes_over_what_is_encrypted_or_something_else) {
    check_datagrams("1:hello ",
                    false,
                    {dtls_record(22, dtls_message(1, 0, "hello")) + dtls_record(20, "\1"),
                     dtls_record(22, "encrypted", 1),
                     "\x2f unified header",
                     ""});
    check_datagrams("", false, {"\x16\x03\x03\x00\x05hello"s, "GET / HTTP/1.1"});
}

TEST(DtlsStream, datagram_may_be_cut) {
    const std::string whole = dtls_record(22, dtls_message(1, 0, "hello"));
    for (size_t octets = 0; octets < whole.size(); ++octets) {
        check_datagrams("", false, {whole.substr(0, octets)});
    }
}

TEST(DtlsStream, alerts_are_two_octets) {
    const std::string datagram = dtls_record(21, "\2\50"s);
    const DtlsStream stream({datagram});
    CHECK_EQUAL(1u, stream.clear().alerts.size());
    CHECK_EQUAL(40, stream.clear().alerts[0].description);
    check_datagrams("", true, {dtls_record(21, "\2"s)});
}

TEST(DtlsStream, fragment_that_reaches_past_its_message_is_malformed) {
    check_datagrams(
        "",
        true,
        {dtls_record(
            22, number(1, 1) + number(4, 3) + number(0, 2) + number(2, 3) + counted(3, "abc"))});
    check_datagrams("", true, {dtls_record(22, dtls_message(1, 0, "hello").substr(0, 15))});
}

TEST(DtlsStream, number_of_messages_is_bounded) {
    std::string content;
    for (uint16_t sequence = 0; sequence < 200; ++sequence) {
        content += dtls_message(14, sequence, "");
    }
    const std::string datagram = dtls_record(22, content);
    CHECK_EQUAL(64u, DtlsStream({datagram}).clear().messages.size());
}

}  // namespace curlew::collector

#include "collector/protocols/tls_stream.h"

#include "tests/collector/protocols/tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

// "type:octets of the body", "-" behind a message that is cut.
std::string messages_of(const TlsStream& stream) {
    std::string text;
    for (const TlsMessage& one : stream.clear().messages) {
        text += std::to_string(one.type) + ":" + std::to_string(one.body.size()) +
                (one.whole ? " " : "- ");
    }
    return text;
}

void check(const char* expected, bool malformed, const std::string& octets) {
    const TlsStream stream(octets);
    STRCMP_EQUAL(expected, messages_of(stream).c_str());
    CHECK_EQUAL(malformed, stream.clear().malformed);
}

}  // namespace

TEST_GROUP(TlsStream){};

TEST(TlsStream, takes_several_messages_out_of_one_record) {
    check("2:5 11:3 14:0 ",
          false,
          handshake_record(message(2, "hello") + message(11, "abc") + message(14, "")));
}

TEST(TlsStream, puts_a_message_together_that_lies_in_several_records) {
    const std::string both = message(2, "hello") + message(11, "certificates");
    for (size_t at = 1; at < both.size(); ++at) {
        check("2:5 11:12 ",
              false,
              handshake_record(both.substr(0, at)) + handshake_record(both.substr(at)));
    }
}

TEST(TlsStream, may_end_anywhere) {
    const std::string whole = handshake_record(message(2, "hello") + message(11, "abc"));
    for (size_t octets = 0; octets < whole.size(); ++octets) {
        CHECK_FALSE(TlsStream(whole.substr(0, octets)).clear().malformed);
    }
    check("2:3- ", false, whole.substr(0, 5 + 4 + 3));
    check("2:5 ", false, whole.substr(0, 5 + 4 + 5 + 3));
}

TEST(TlsStream, takes_nothing_out_of_another_protocol) {
    check("", false, "GET / HTTP/1.1\r\n\r\n");
    check("", false, "");
    check("", false, "\x16\x03"s);
    check("", false, "\x16\x02\x00\x00\x01\x01"s);
}

TEST(TlsStream, ends_with_what_is_encrypted) {
    const std::string hello = handshake_record(message(1, "hello"));
    check("1:5 ", false, hello + change_cipher_spec() + handshake_record("\xd1\x17\x99\x42\x00"s));
    check("1:5 ", false, hello + record(23, "data") + handshake_record(message(11, "abc")));
}

TEST(TlsStream, message_after_the_change_of_cipher_is_kept_apart) {
    const std::string octets = handshake_record(message(2, "retry")) + change_cipher_spec() +
                               handshake_record(message(2, "hello"));
    const TlsStream stream(octets);
    STRCMP_EQUAL("2:5 ", messages_of(stream).c_str());
    CHECK_EQUAL(2, stream.clear().after_change.type);
    CHECK("hello" == stream.clear().after_change.body);
    CHECK(stream.clear().after_change.whole);
}

TEST(TlsStream, alerts_are_two_octets) {
    const std::string octets = handshake_record(message(1, "hello")) + record(21, "\2\50"s);
    const TlsStream stream(octets);
    CHECK_EQUAL(1u, stream.clear().alerts.size());
    CHECK_EQUAL(2, stream.clear().alerts[0].level);
    CHECK_EQUAL(40, stream.clear().alerts[0].description);
    CHECK_FALSE(stream.clear().malformed);
    // Encrypted ones are longer, and come after the change of cipher.
    CHECK_EQUAL(0u, TlsStream(record(21, std::string(32, 'x'))).clear().alerts.size());
    CHECK_EQUAL(0u, TlsStream(change_cipher_spec() + record(21, "\2\50"s)).clear().alerts.size());
    CHECK(TlsStream(record(21, "\2"s)).clear().malformed);
}

TEST(TlsStream, records_that_stop_being_records_are_malformed) {
    check("1:5 ", true, handshake_record(message(1, "hello")) + "GET / HTTP/1.1");
}

TEST(TlsStream, octets_after_the_change_of_cipher_are_not_judged) {
    check("1:5 ",
          false,
          handshake_record(message(1, "hello")) + change_cipher_spec() + "GET / HTTP/1.1");
}

TEST(TlsStream, an_unfinished_message_before_another_record_is_malformed) {
    const std::string part = message(1, "hello").substr(0, 6);
    check("1:2- ", true, handshake_record(part) + change_cipher_spec());
    check("", true, handshake_record("\1\0"s) + record(23, "data"));
}

TEST(TlsStream, an_empty_handshake_record_is_malformed) {
    check("1:5 ", true, handshake_record(message(1, "hello")) + handshake_record(""));
}

TEST(TlsStream, number_of_messages_and_alerts_is_bounded) {
    std::string many;
    for (int i = 0; i < 200; ++i) {
        many += message(0, "");
    }
    const std::string octets = handshake_record(many);
    CHECK_EQUAL(64u, TlsStream(octets).clear().messages.size());
    std::string alerts;
    for (int i = 0; i < 200; ++i) {
        alerts += record(21, "\1\0"s);
    }
    CHECK_EQUAL(8u, TlsStream(alerts).clear().alerts.size());
}

TEST(TlsStream, hello_in_the_form_of_sslv2_is_taken_when_its_lengths_agree) {
    const std::string body = number(0x0301, 2) + number(6, 2) + number(0, 2) + number(16, 2) +
                             "\x00\x00\x35\x01\x00\x80"s + "challenge of 16.";
    const std::string hello = number(0x8000 | (body.size() + 1), 2) + "\1" + body;
    const std::string octets = hello + handshake_record(message(16, "key"));
    const TlsStream stream(octets);
    CHECK(body == stream.clear().version2_hello);
    STRCMP_EQUAL("16:3 ", messages_of(stream).c_str());
    CHECK_FALSE(stream.clear().malformed);
    const std::string by_version2 = hello + "\x80\x03\x00\x00\x01\x00";
    CHECK_FALSE(TlsStream(by_version2).clear().malformed);
    std::string wrong = hello;
    wrong[1] = static_cast<char>(wrong[1] + 1);
    CHECK(TlsStream(wrong).clear().version2_hello.empty());
}

}  // namespace curlew::collector

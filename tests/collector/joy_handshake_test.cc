#include "collector/joy_handshake.h"

#include <string>

#include "tests/collector/joy_fixture.h"
#include "tests/collector/joy_tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

// "type:length type:length" of one record.
std::string noted(const JoyHandshake& side, size_t record) {
    std::string text;
    for (const JoyHandshakeMessage& message : side.messages[record]) {
        text += std::to_string(message.type) + ":" + std::to_string(message.length) + " ";
    }
    return text;
}

}  // namespace

TEST_GROUP(JoyHandshake){};

TEST(JoyHandshake, a_client_hello_says_what_it_offers) {
    const JoyHandshake side =
        read_joy_handshake(tls_record(tls_message(1,
                                                  client_hello("aabb",
                                                               "003c c02b",
                                                               "0000000a0008000005612e6e6574"
                                                               "ff01000100"))));
    CHECK(side.role == JoyRole::client);
    CHECK_EQUAL(5, side.version);
    CHECK_EQUAL('\x11', side.random[31]);
    CHECK_TRUE(side.session_id == "\xaa\xbb");
    CHECK_EQUAL(2u, side.cipher_suites.size());
    CHECK_EQUAL(0xc02b, side.cipher_suites[1]);
    CHECK_TRUE(side.has_server_name);
    STRCMP_EQUAL("a.net", side.server_name.c_str());
    CHECK_EQUAL(2u, side.client_extensions.size());
    CHECK_EQUAL(0xff01, side.client_extensions[1].type);
    CHECK_TRUE(side.client_extensions[1].data == std::string(1, '\0'));
    STRCMP_EQUAL("1:66 ", noted(side, 0).c_str());
}

TEST(JoyHandshake, a_server_hello_says_what_it_chose) {
    const JoyHandshake side = read_joy_handshake(
        tls_record(tls_message(2, server_hello("0303", "", "c02b", "00170000"))));
    CHECK(side.role == JoyRole::server);
    CHECK_EQUAL(1u, side.cipher_suites.size());
    CHECK_EQUAL(0xc02b, side.cipher_suites[0]);
    CHECK_EQUAL(1u, side.server_extensions.size());
    CHECK_EQUAL(23, side.server_extensions[0].type);
    CHECK_EQUAL(0u, side.client_extensions.size());
}

TEST(JoyHandshake, drafts_of_tls_13_have_neither_session_nor_method) {
    const std::string hello = octets_from_hex("7f12") + std::string(32, '\x11') +
                              octets_from_hex("1301 0006 00330002 aabb");
    const JoyHandshake side = read_joy_handshake(tls_record(tls_message(2, hello)));
    CHECK_EQUAL(6, side.version);
    CHECK_EQUAL(0x1301, side.cipher_suites[0]);
    CHECK_EQUAL(1u, side.server_extensions.size());
    CHECK_TRUE(side.server_extensions[0].data == "\xaa\xbb");
}

TEST(JoyHandshake, several_messages_and_records_are_noted) {
    const JoyHandshake side = read_joy_handshake(
        tls_record(tls_message(2, server_hello("0303", "", "003c", "")) +
                   tls_message(11, octets_from_hex("000000")) + tls_message(14, "")) +
        tls_record("x", 20) + tls_record(tls_message(20, "0123456789ab")));
    STRCMP_EQUAL("2:40 11:3 14:0 ", noted(side, 0).c_str());
    STRCMP_EQUAL("", noted(side, 1).c_str());
    STRCMP_EQUAL("20:12 ", noted(side, 2).c_str());
}

TEST(JoyHandshake, an_empty_message_at_the_end_is_not_noted) {
    const JoyHandshake side = read_joy_handshake(
        tls_record(tls_message(11, octets_from_hex("000000")) + tls_message(14, "")));
    STRCMP_EQUAL("11:3 ", noted(side, 0).c_str());
}

TEST(JoyHandshake, five_messages_of_a_record_are_noted) {
    std::string messages;
    for (int i = 0; i < 6; ++i) {
        messages += tls_message(12, "x");
    }
    STRCMP_EQUAL("12:1 12:1 12:1 12:1 12:1 ",
                 noted(read_joy_handshake(tls_record(messages)), 0).c_str());
}

TEST(JoyHandshake, an_unknown_message_or_version_ends_the_reading) {
    const std::string key = tls_message(16, "key");
    JoyHandshake side = read_joy_handshake(tls_record(tls_message(5, "x") + key));
    STRCMP_EQUAL("", side.client_key_exchange.c_str());
    side =
        read_joy_handshake(tls_record(tls_message(2, server_hello("0305", "", "003c", "")) + key));
    CHECK_EQUAL(0, side.version);
    CHECK(side.role == JoyRole::none);
    STRCMP_EQUAL("", side.client_key_exchange.c_str());
    side = read_joy_handshake(tls_record(key + tls_message(16, "other")));
    STRCMP_EQUAL("key", side.client_key_exchange.c_str());
}

TEST(JoyHandshake, a_key_exchange_has_at_most_1024_octets) {
    JoyHandshake side = read_joy_handshake(tls_record(tls_message(16, std::string(1024, 'k'))));
    CHECK_EQUAL(1024u, side.client_key_exchange.size());
    side = read_joy_handshake(tls_record(tls_message(16, std::string(1025, 'k'))));
    CHECK_EQUAL(0u, side.client_key_exchange.size());
}

TEST(JoyHandshake, four_certificates_are_kept) {
    std::string list;
    for (const char* certificate : {"one", "two", "three", "four", "five"}) {
        list += tls_length_3(certificate);
    }
    const JoyHandshake side = read_joy_handshake(tls_record(tls_message(11, tls_length_3(list))));
    CHECK_EQUAL(4u, side.certificates.size());
    STRCMP_EQUAL("three", side.certificates[2].c_str());
}

TEST(JoyHandshake, a_list_of_certificates_longer_than_its_message_is_not_read) {
    const std::string list = octets_from_hex("00000b 000003") + "one";
    const JoyHandshake side = read_joy_handshake(tls_record(tls_message(11, list)));
    CHECK_EQUAL(0u, side.certificates.size());
}

TEST(JoyHandshake, a_list_of_suites_longer_than_its_hello_is_not_read) {
    const std::string hello =
        octets_from_hex("0303") + std::string(32, '\x11') + octets_from_hex("00 0100 003c");
    const JoyHandshake side = read_joy_handshake(tls_record(tls_message(1, hello)));
    CHECK(side.role == JoyRole::client);
    CHECK_EQUAL(0u, side.cipher_suites.size());
    CHECK_EQUAL(0u, side.client_extensions.size());
}

TEST(JoyHandshake, every_truncation_is_survived) {
    const std::string whole =
        tls_record(tls_message(1, client_hello("aabb", "003c", "0000000a0008000005612e6e6574")) +
                   tls_message(11, tls_length_3(tls_length_3("one"))) + tls_message(16, "key"));
    for (size_t size = 0; size < whole.size(); ++size) {
        CHECK_EQUAL(0, read_joy_handshake(whole.substr(0, size)).version * (size < 81));
    }
}

TEST(JoyHandshake, versions_have_joys_numbers) {
    CHECK_EQUAL(2, joy_tls_version(0x0300));
    CHECK_EQUAL(6, joy_tls_version(0x0304));
    CHECK_EQUAL(6, joy_tls_version(0x7f12));
    CHECK_EQUAL(0, joy_tls_version(0x0305));
    CHECK_EQUAL(0, joy_tls_version(0x0200));
    CHECK_EQUAL(0, joy_tls_version(0x7f17));
}

}  // namespace curlew::collector

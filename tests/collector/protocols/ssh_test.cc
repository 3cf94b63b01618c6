#include "collector/protocols/ssh.h"

#include <string>

#include "tests/collector/protocols/tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::string written(const std::string& client, const std::string& server, bool expected = true) {
    JsonLine json;
    json.start_object();
    CHECK_EQUAL(expected, write_ssh(json, client, server));
    json.end_object();
    std::string line(json.finish());
    line.pop_back();
    return line;
}

std::string packet(const std::string& payload, size_t padding = 4) {
    return number(1 + payload.size() + padding, 4) + number(padding, 1) + payload +
           std::string(padding, '\0');
}

std::string key_exchange(const std::string& algorithms = "curve25519-sha256,ext-info-c") {
    std::string payload = "\x14"s + "cookie of 16 oct";
    for (const char* list : {"ssh-ed25519",
                             "aes128-ctr",
                             "aes256-ctr",
                             "hmac-sha1",
                             "hmac-md5",
                             "none",
                             "zlib",
                             "",
                             "en"}) {
        payload += (payload.size() == 17 ? counted(4, algorithms) : "") + counted(4, list);
    }
    return payload + "\0\0\0\0\0"s;
}

}  // namespace

TEST_GROUP(Ssh){};

TEST(Ssh, banners_of_both_ends_are_written) {
    STRCMP_EQUAL("{\"ssh\":{\"client\":\"SSH-2.0-one\",\"server\":\"SSH-2.0-two\"}}",
                 written("SSH-2.0-one\r\n", "SSH-2.0-two\n").c_str());
}

TEST(Ssh, without_a_banner_nothing_is_written) {
    STRCMP_EQUAL("{}", written("", "").c_str());
    STRCMP_EQUAL("{}", written("SSH-2.0-no end of line", packet(key_exchange())).c_str());
    STRCMP_EQUAL("{}", written("GET / HTTP/1.1\r\n\r\n", "").c_str());
}

TEST(Ssh, server_may_write_lines_before_its_banner) {
    STRCMP_EQUAL("{\"ssh\":{\"server\":\"SSH-2.0-two\"}}",
                 written("", "Welcome.\r\nAll is logged.\r\nSSH-2.0-two\r\n").c_str());
}

TEST(Ssh, lists_of_the_key_exchange_are_written) {
    const std::string stream = "SSH-2.0-one\r\n" + packet(key_exchange()) + packet("\x1e");
    STRCMP_EQUAL(
        "{\"ssh\":{\"client\":\"SSH-2.0-one\",\"client_kex\":{"
        "\"kex_algos\":[\"curve25519-sha256\",\"ext-info-c\"],"
        "\"s_host_key_algos\":[\"ssh-ed25519\"],"
        "\"c_encryption_algos\":[\"aes128-ctr\"],\"s_encryption_algos\":[\"aes256-ctr\"],"
        "\"c_mac_algos\":[\"hmac-sha1\"],\"s_mac_algos\":[\"hmac-md5\"],"
        "\"c_comp_algos\":[\"none\"],\"s_comp_algos\":[\"zlib\"]},"
        "\"hassh\":\"da396fb0f249e33d7f418c7b68338e69\"}}",
        written(stream, "").c_str());
    STRCMP_CONTAINS("\"hassh_server\":\"06cbd84ef86440f1b122c63946f6e03f\"",
                    written("", stream).c_str());
}

TEST(Ssh, packets_before_the_key_exchange_are_passed_over) {
    const std::string stream = "SSH-2.0-one\r\n" + packet("\2ignore") + packet(key_exchange());
    STRCMP_CONTAINS("\"hassh\":", written(stream, "").c_str());
}

TEST(Ssh, may_end_anywhere) {
    const std::string stream = "SSH-2.0-one\r\n" + packet(key_exchange());
    for (size_t octets = 0; octets < stream.size(); ++octets) {
        written(stream.substr(0, octets), stream.substr(0, octets));
    }
}

TEST(Ssh, packet_whose_padding_exceeds_it_is_malformed) {
    const std::string stream = "SSH-2.0-one\r\n" + number(6, 4) + number(9, 1) + "\x14xxxx";
    STRCMP_EQUAL("{\"ssh\":{\"client\":\"SSH-2.0-one\",\"malformed\":true}}",
                 written(stream, "", false).c_str());
    written("SSH-2.0-one\r\n" + number(0xffffffff, 4) + number(9, 1), "", false);
}

TEST(Ssh, lists_that_reach_past_their_packet_are_malformed) {
    const std::string stream =
        "SSH-2.0-one\r\n" + packet(key_exchange().substr(0, 40)) + packet("\x1e");
    STRCMP_EQUAL("{\"ssh\":{\"client\":\"SSH-2.0-one\",\"malformed\":true}}",
                 written(stream, "", false).c_str());
}

TEST(Ssh, banner_ends_at_a_zero) {
    STRCMP_EQUAL("{\"ssh\":{\"client\":\"SSH-2.0-one \"}}",
                 written("SSH-2.0-one \0\0\0\n"s, "").c_str());
}

TEST(Ssh, server_may_refuse_in_text) {
    STRCMP_EQUAL("{\"ssh\":{\"server\":\"SSH-2.0-two\"}}",
                 written("", "SSH-2.0-two\r\nProtocol mismatch.\n").c_str());
}

TEST(Ssh, version_1_has_a_banner_only) {
    STRCMP_EQUAL("{\"ssh\":{\"client\":\"SSH-1.5-old\"}}",
                 written("SSH-1.5-old\n" + number(1, 4) + "xxxxxxxx", "").c_str());
}

TEST(Ssh, number_of_names_is_bounded) {
    std::string names = "a";
    for (int i = 0; i < 200; ++i) {
        names += ",a";
    }
    const std::string line = written("SSH-2.0-one\r\n" + packet(key_exchange(names)), "");
    size_t count = 0;
    for (size_t at = line.find("\"a\""); at != std::string::npos; at = line.find("\"a\"", at + 1)) {
        ++count;
    }
    CHECK_EQUAL(64u, count);
}

}  // namespace curlew::collector

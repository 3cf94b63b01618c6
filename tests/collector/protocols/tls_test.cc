#include "collector/protocols/tls.h"

#include <string>

#include "tests/collector/protocols/certificate_words.h"
#include "tests/collector/protocols/tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::string written_tls(const std::string& forward,
                        const std::string& reverse,
                        bool expected = true) {
    JsonLine json;
    CertificateWriter writer;
    json.start_object();
    CHECK_EQUAL(expected, write_tls(json, writer, forward, reverse));
    json.end_object();
    std::string line(json.finish());
    line.pop_back();
    return line;
}

void check_holds(const std::string& line, const std::string& part) {
    STRCMP_CONTAINS(part.c_str(), line.c_str());
}

void check_lacks(const std::string& line, const std::string& part) {
    CHECK_TEXT(line.find(part) == std::string::npos, line.c_str());
}

std::string hello_record(const ClientWords& words) {
    return handshake_record(message(1, client_hello(words)));
}

std::string answer_record(const ServerWords& words) {
    return handshake_record(message(2, server_hello(words)));
}

const ClientWords kClient12{.suites = {0x0a0a, 0xc02f, 0x002f},
                            .extensions = {server_name("example.org"),
                                           protocol_names({"h2", "http/1.1"}),
                                           supported_groups({0x001d, 0x0017}),
                                           point_formats("\0"s),
                                           signature_algorithms({0x0403})}};
const ServerWords kServer12{.session_id = "session",
                            .extensions = {extension(0xff01, "\0"s), protocol_names({"h2"})}};

}  // namespace

TEST_GROUP(Tls){};

TEST(Tls, a_hello_that_is_cut_tells_no_version_that_its_rest_could_change) {
    ClientWords client = kClient12;
    client.extensions.push_back(extension(43, "\x04\x03\x04\x03\x03"s));
    const std::string whole = hello_record(client);
    check_holds(written_tls(whole, ""), R"("version":"TLSv1.3","c_version":"TLSv1.2")");
    for (const size_t octets : {whole.size() - 1, size_t{100}, size_t{60}, size_t{11}}) {
        const std::string line = written_tls(whole.substr(0, octets), "");
        check_holds(line, R"({"tls":{"c_version":"TLSv1.2")");
        check_holds(line, R"("cut":true)");
    }
    check_lacks(written_tls(whole.substr(0, 10), ""), "version");
    const std::string answer = answer_record(kServer12);
    check_holds(written_tls(whole.substr(0, 60), answer),
                R"("version":"TLSv1.2","c_version":"TLSv1.2","s_version":"TLSv1.2")");
    check_holds(written_tls(whole, answer.substr(0, 60)),
                R"({"tls":{"c_version":"TLSv1.2","s_version":"TLSv1.2")");
    // An older one has no such extension.
    ClientWords old = kClient12;
    old.version = 0x0302;
    check_holds(written_tls(hello_record(old).substr(0, 60), ""), R"("version":"TLSv1.1")");
}

TEST(Tls, every_member_is_written) {
    const std::string client = hello_record(kClient12) +
                               handshake_record(message(16, std::string(33, 'k'))) +
                               change_cipher_spec() + handshake_record("encrypted");
    const std::string server = answer_record(kServer12) + change_cipher_spec();
    STRCMP_EQUAL(
        "{\"tls\":{\"version\":\"TLSv1.2\",\"c_version\":\"TLSv1.2\","
        "\"s_version\":\"TLSv1.2\",\"sni\":\"example.org\",\"alpn\":[\"h2\",\"http/1.1\"],"
        "\"alpn_selected\":\"h2\",\"cs\":[\"0a0a\",\"c02f\",\"002f\"],\"scs\":\"c02f\","
        "\"c_extensions\":[{\"type\":0,\"length\":16},{\"type\":16,\"length\":14},"
        "{\"type\":10,\"length\":6},{\"type\":11,\"length\":2},{\"type\":13,\"length\":4}],"
        "\"s_extensions\":[{\"type\":65281,\"length\":1},{\"type\":16,\"length\":5}],"
        "\"supported_groups\":[\"001d\",\"0017\"],"
        "\"c_random\":\"636c69656e742072616e646f6d206f66203332206f6374657473202d2d2d2d2d\","
        "\"s_random\":\"7365727665722072616e646f6d206f66203332206f6374657473202d2d2d2d2d\","
        "\"s_session_id\":\"73657373696f6e\",\"c_key_length\":264,"
        "\"ja3\":\"c7505b3f3004b0f3658d1a59f11b451c\","
        "\"ja3_text\":\"771,49199-47,0-16-10-11-13,29-23,0\","
        "\"ja4\":\"t12d0205h2_37f356531c84_2bbaf9536c97\","
        "\"ja3s\":\"7bee5c1d424b7e5f943b06983bb11422\"}}",
        written_tls(client, server).c_str());
}

TEST(Tls, without_a_hello_nothing_is_written) {
    STRCMP_EQUAL("{}", written_tls("", "").c_str());
    STRCMP_EQUAL("{}", written_tls("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n").c_str());
    // Streams that begin in the middle.
    STRCMP_EQUAL("{}", written_tls(record(23, "data"), record(23, "data")).c_str());
    STRCMP_EQUAL("{}", written_tls(handshake_record("\xd1\x17\x99\x42\x00"s), "").c_str());
    STRCMP_EQUAL("{}", written_tls(handshake_record("\2\x17\x99\x42\xb0\x03"s), "").c_str());
    STRCMP_EQUAL("{}", written_tls(record(21, "\2\50"s), "").c_str());
}

TEST(Tls, client_is_found_in_the_other_direction) {
    const std::string line = written_tls(answer_record(kServer12), hello_record(kClient12));
    check_holds(line, "\"sni\":\"example.org\"");
    check_holds(line, "\"alpn_selected\":\"h2\"");
    check_holds(written_tls("", hello_record(kClient12)), "\"sni\":\"example.org\"");
}

TEST(Tls, one_direction_is_enough) {
    const std::string client = written_tls(hello_record(kClient12), "");
    check_holds(client, "\"version\":\"TLSv1.2\",\"c_version\":\"TLSv1.2\",\"sni\"");
    check_lacks(client, "s_version");
    const std::string server = written_tls("", answer_record(kServer12));
    check_holds(server, "\"version\":\"TLSv1.2\",\"s_version\":\"TLSv1.2\",\"alpn_selected\"");
    check_holds(server, "\"scs\":\"c02f\"");
    check_lacks(server, "\"cs\"");
}

TEST(Tls, version_13_is_that_of_the_extension) {
    const std::string line =
        written_tls(hello_record({.extensions = {supported_versions({0x0304, 0x0303})}}),
                    answer_record({.suite = 0x1301, .extensions = {extension(43, "\3\4"s)}}));
    check_holds(line,
                "\"version\":\"TLSv1.3\",\"c_version\":\"TLSv1.2\",\"s_version\":\"TLSv1.2\"");
    check_holds(line, "\"scs\":\"1301\"");
    check_holds(line, "\"supported_versions\":[\"TLSv1.3\",\"TLSv1.2\"]");
}

TEST(Tls, of_a_server_that_retries_the_second_hello_counts) {
    const std::string server =
        answer_record({.random = retry_random(), .suite = 0x1302}) + change_cipher_spec() +
        answer_record({.suite = 0x1301, .extensions = {extension(43, "\3\4"s)}});
    const std::string line = written_tls(hello_record(kClient12), server);
    check_holds(line, "\"scs\":\"1301\"");
    check_holds(line, "\"version\":\"TLSv1.3\"");
    const std::string without_change =
        handshake_record(message(2, server_hello({.random = retry_random(), .suite = 0x1302})) +
                         message(2, server_hello({.suite = 0x1303})));
    check_holds(written_tls("", without_change), "\"scs\":\"1303\"");
    check_holds(written_tls("", answer_record({.random = retry_random(), .suite = 0x1302})),
                "\"scs\":\"1302\"");
}

TEST(Tls, certificates_of_both_ends_are_written) {
    const std::string der = make_certificate();
    const std::string server =
        answer_record(kServer12) + handshake_record(message(11, certificates({der, der})));
    const std::string client =
        hello_record(kClient12) + handshake_record(message(11, certificates({der})));
    const std::string line = written_tls(client, server);
    check_holds(line, "\"s_cert\":[{\"version\":3,\"serial\":\"c0ffee\"");
    check_holds(line, "},{\"version\":3,\"serial\":\"c0ffee\"");
    check_holds(line, "\"c_cert\":[{\"version\":3,\"serial\":\"c0ffee\"");
    check_lacks(
        written_tls(hello_record(kClient12) + handshake_record(message(11, certificates({}))),
                    server),
        "c_cert");
}

TEST(Tls, at_most_eight_certificates_are_written) {
    const std::vector<std::string> many(20, "x");
    const std::string line = written_tls(
        "", answer_record(kServer12) + handshake_record(message(11, certificates(many))), false);
    size_t count = 0;
    for (size_t at = line.find("sha256"); at != std::string::npos;
         at = line.find("sha256", at + 1)) {
        ++count;
    }
    CHECK_EQUAL(8u, count);
}

TEST(Tls, a_stream_that_ends_in_the_certificates_has_the_first) {
    const std::string der = make_certificate();
    const std::string server =
        answer_record(kServer12) + handshake_record(message(11, certificates({der, der})));
    const std::string line = written_tls("", server.substr(0, server.size() - 10));
    check_holds(line, "\"s_cert\":[{\"version\":3,");
    check_lacks(line, "},{\"version\":3");
    check_lacks(line, "malformed");
}

TEST(Tls, a_list_of_certificates_that_contradicts_its_message_is_malformed) {
    const std::string server =
        answer_record(kServer12) + handshake_record(message(11, number(9, 3) + counted(3, "abc")));
    check_holds(written_tls("", server, false), "\"malformed\":true");
}

TEST(Tls, alerts_say_who_sent_them) {
    const std::string line =
        written_tls(hello_record(kClient12) + record(21, "\1\0"s), record(21, "\2\50"s));
    check_holds(
        line,
        "\"alerts\":[{\"dir\":\">\",\"level\":\"warning\",\"description\":\"close_notify\"},"
        "{\"dir\":\"<\",\"level\":\"fatal\",\"description\":\"handshake_failure\"}]");
}

TEST(Tls, hello_that_the_stream_cuts_has_no_fingerprint) {
    const std::string whole = hello_record(kClient12);
    const std::string line = written_tls(whole.substr(0, whole.size() - 5), "");
    check_holds(line, "\"sni\":\"example.org\"");
    check_lacks(line, "ja3");
    check_lacks(line, "ja4");
    check_lacks(line, "malformed");
    check_holds(line, "\"cut\":true");
}

TEST(Tls, hello_that_is_cut_before_its_suites_does_not_say_that_there_are_none) {
    const std::string line = written_tls(hello_record(kClient12).substr(0, 43), "");
    check_holds(line, "\"c_random\"");
    check_holds(line, "\"cut\":true");
    check_lacks(line, "\"cs\"");
}

TEST(Tls, hello_in_the_form_of_sslv2_is_written) {
    const std::string body = number(0x0301, 2) + number(6, 2) + number(0, 2) + number(16, 2) +
                             "\x00\x00\x35\x01\x00\x80"s + "challenge of 16.";
    const std::string client = number(0x8000 | (body.size() + 1), 2) + "\1" + body;
    STRCMP_EQUAL(
        "{\"tls\":{\"version\":\"TLSv1.0\",\"c_version\":\"TLSv1.0\",\"cs\":[\"0035\",\"010080\"],"
        "\"c_random\":\"6368616c6c656e6765206f662031362e\"}}",
        written_tls(client, "").c_str());
}

TEST(Tls, of_dtls_is_written_alike) {
    const std::string client = dtls_record(
        22, dtls_message(1, 0, dtls_client_hello({.extensions = {server_name("example.org")}})));
    const std::string server =
        dtls_record(22, dtls_message(2, 1, server_hello({.version = 0xfefd})));
    JsonLine json;
    CertificateWriter writer;
    json.start_object();
    CHECK(write_dtls(json, writer, {client}, {server}));
    json.end_object();
    const std::string line(json.finish());
    check_holds(line, "\"version\":\"DTLSv1.2\",\"c_version\":\"DTLSv1.2\"");
    check_holds(line, "\"sni\":\"example.org\"");
    check_holds(line, "\"scs\":\"c02f\"");
    check_holds(line, "\"ja4\":\"dd2d010100_");
}

TEST(Tls, of_two_hellos_of_dtls_the_one_that_is_whole_counts) {
    const std::string hello = dtls_client_hello({.extensions = {server_name("example.org")}});
    const std::string first = dtls_record(22, dtls_fragment(1, 0, hello, 0, 20));
    const std::string second = dtls_record(22, dtls_message(1, 1, hello));
    JsonLine json;
    CertificateWriter writer;
    json.start_object();
    CHECK(write_dtls(json, writer, {first, second}, {}));
    json.end_object();
    check_holds(std::string(json.finish()), "\"sni\":\"example.org\"");
}

TEST(Tls, text_is_utf8_whatever_it_was) {
    const std::string line = written_tls(
        hello_record({.extensions = {server_name("\xff\"x"), protocol_names({"\x0a\x0a"})}}), "");
    check_holds(line, "\"sni\":\"\xc3\xbf\\\"x\"");
    check_holds(line, "\"alpn\":[\"\\n\\n\"]");
}

TEST(Tls, contradictions_of_either_direction_are_malformed) {
    check_holds(written_tls(hello_record(kClient12) + "no record at all", "", false),
                "\"malformed\":true");
    check_holds(written_tls(handshake_record(message(1, client_hello(kClient12) + "x")), "", false),
                "\"malformed\":true");
    check_holds(written_tls("", answer_record(kServer12) + "no record at all", false),
                "\"malformed\":true");
}

}  // namespace curlew::collector

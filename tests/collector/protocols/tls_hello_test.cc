#include "collector/protocols/tls_hello.h"

#include "tests/collector/protocols/tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

ClientWords common_client() {
    return {.session_id = "session",
            .suites = {0x0a0a, 0x1301, 0xc02f},
            .extensions = {server_name("example.org"),
                           protocol_names({"h2", "http/1.1"}),
                           supported_groups({0x2a2a, 0x001d, 0x0017}),
                           point_formats("\0"s),
                           signature_algorithms({0x0403, 0x0804}),
                           supported_versions({0x3a3a, 0x0304, 0x0303}),
                           extension(0xff01, "\0"s)}};
}

}  // namespace

TEST_GROUP(ClientHello){};

TEST(ClientHello, every_field_is_read) {
    const std::string body = client_hello(common_client());
    const ClientHello hello = read_client_hello(body, true);
    CHECK_EQUAL(0x0303, hello.version);
    CHECK(kClientRandom == hello.random);
    CHECK("session" == hello.session_id);
    CHECK(std::vector<uint32_t>({0x0a0a, 0x1301, 0xc02f}) == hello.cipher_suites);
    CHECK("example.org" == hello.server_name);
    CHECK(std::vector<std::string_view>({"h2", "http/1.1"}) == hello.protocol_names);
    CHECK(std::vector<uint16_t>({0x2a2a, 0x001d, 0x0017}) == hello.supported_groups);
    CHECK(std::vector<uint8_t>({0}) == hello.point_formats);
    CHECK(std::vector<uint16_t>({0x0403, 0x0804}) == hello.signature_algorithms);
    CHECK(std::vector<uint16_t>({0x3a3a, 0x0304, 0x0303}) == hello.supported_versions);
    CHECK_EQUAL(7u, hello.extensions.size());
    CHECK_EQUAL(0xff01, hello.extensions[6].type);
    CHECK(hello.complete);
    CHECK_FALSE(hello.malformed);
    CHECK_EQUAL(0x0304, hello.highest_version());
}

TEST(ClientHello, may_have_no_extensions_at_all) {
    const std::string body = client_hello({.version = 0x0301, .has_extensions = false});
    const ClientHello hello = read_client_hello(body, true);
    CHECK(hello.complete);
    CHECK_FALSE(hello.malformed);
    CHECK_EQUAL(0x0301, hello.highest_version());
}

TEST(ClientHello, cut_by_the_stream_is_neither_complete_nor_malformed) {
    const std::string body = client_hello(common_client());
    for (size_t octets = 0; octets < body.size(); ++octets) {
        const ClientHello hello =
            read_client_hello(std::string_view(body).substr(0, octets), false);
        CHECK_FALSE(hello.complete);
        CHECK_FALSE(hello.malformed);
    }
}

TEST(ClientHello, that_ends_before_its_lists_do_is_malformed) {
    const std::string body = client_hello(common_client());
    for (size_t octets = 0; octets < body.size(); ++octets) {
        const ClientHello hello = read_client_hello(std::string_view(body).substr(0, octets), true);
        // Where the extensions begin, a hello without them ends.
        const bool without = octets == 2 + 32 + 8 + 8 + 2;
        CHECK_EQUAL(without, hello.complete);
        CHECK_EQUAL(!without, hello.malformed);
    }
}

TEST(ClientHello, octets_behind_the_extensions_are_malformed) {
    const std::string body = client_hello(common_client()) + "x";
    const ClientHello hello = read_client_hello(body, true);
    CHECK(hello.malformed);
    CHECK("example.org" == hello.server_name);
}

TEST(ClientHello, extensions_that_contradict_themselves_are_malformed) {
    const std::string wrong[] = {
        extension(0, number(20, 2) + number(0, 1) + counted(2, "short")),
        extension(10, counted(2, "odd")),
        extension(11, number(4, 1) + "\0"s),
        extension(13, number(2, 2)),
        extension(16, counted(2, number(9, 1) + "h2")),
        extension(43, counted(1, numbers({0x0304})) + "x"),
    };
    for (const std::string& one : wrong) {
        const std::string body = client_hello({.extensions = {one, server_name("example.org")}});
        const ClientHello hello = read_client_hello(body, true);
        CHECK(hello.malformed);
        CHECK_EQUAL(2u, hello.extensions.size());
    }
}

TEST(ClientHello, of_dtls_has_a_cookie) {
    const std::string tls = client_hello(common_client());
    const std::string body = tls.substr(0, 34 + 8) + counted(1, "cookie") + tls.substr(34 + 8);
    const ClientHello hello = read_client_hello(body, true, TlsForm::dtls);
    CHECK("example.org" == hello.server_name);
    CHECK(hello.complete);
    CHECK_FALSE(hello.malformed);
}

TEST(ClientHello, in_the_form_of_sslv2_has_suites_of_three_octets) {
    const std::string body = number(0x0301, 2) + number(6, 2) + number(0, 2) + number(16, 2) +
                             "\x00\x00\x35\x01\x00\x80"s + "challenge of 16.";
    const ClientHello hello = read_version2_hello(body);
    CHECK(hello.version2);
    CHECK(hello.complete);
    CHECK_EQUAL(0x0301, hello.version);
    CHECK(std::vector<uint32_t>({0x35, 0x010080}) == hello.cipher_suites);
    CHECK("challenge of 16." == hello.random);
    CHECK_FALSE(read_version2_hello(body.substr(0, 12)).complete);
}

TEST(ClientHello, newest_version_is_the_highest) {
    const auto highest = [](const std::vector<uint16_t>& versions) {
        ClientHello hello;
        hello.version = 0x0301;
        hello.supported_versions = versions;
        return hello.highest_version();
    };
    CHECK_EQUAL(0x0304, highest({0x0303, 0x7f1c, 0x0304}));
    CHECK_EQUAL(0x7f1c, highest({0x7f17, 0x7f1c, 0x0303}));
    CHECK_EQUAL(0xfefc, highest({0xfefd, 0xfefc, 0xfeff}));
    CHECK_EQUAL(0x0301, highest({0xfafa}));
}

TEST_GROUP(ServerHello){};

TEST(ServerHello, every_field_is_read) {
    const std::string body =
        server_hello({.session_id = "session",
                      .suite = 0x1301,
                      .extensions = {extension(43, number(0x0304, 2)), protocol_names({"h2"})}});
    const ServerHello hello = read_server_hello(body, true);
    CHECK_EQUAL(0x0303, hello.version);
    CHECK(kServerRandom == hello.random);
    CHECK("session" == hello.session_id);
    CHECK_EQUAL(0x1301, hello.cipher_suite);
    CHECK_EQUAL(0x0304, hello.selected_version);
    CHECK_EQUAL(0x0304, hello.chosen_version());
    CHECK("h2" == hello.protocol_name);
    CHECK_FALSE(hello.is_retry_request());
    CHECK(hello.complete);
    CHECK_FALSE(hello.malformed);
}

TEST(ServerHello, retry_request_is_told_by_its_random) {
    const std::string body = server_hello({.random = retry_random()});
    CHECK(read_server_hello(body, true).is_retry_request());
}

TEST(ServerHello, of_an_early_draft_has_no_session_id) {
    const std::string body =
        number(0x7f12, 2) + kServerRandom + number(0x1301, 2) + counted(2, extension(40, "key"));
    const ServerHello hello = read_server_hello(body, true);
    CHECK_EQUAL(0x1301, hello.cipher_suite);
    CHECK_EQUAL(1u, hello.extensions.size());
    CHECK(hello.complete);
}

TEST(ServerHello, that_ends_before_its_lists_do_is_malformed) {
    const std::string body = server_hello({.extensions = {protocol_names({"h2"})}});
    CHECK(read_server_hello(body.substr(0, body.size() - 1), true).malformed);
    CHECK_FALSE(read_server_hello(body.substr(0, body.size() - 1), false).malformed);
    CHECK(read_server_hello(body.substr(0, 20), true).malformed);
}

TEST_GROUP(TlsVersion){};

TEST(TlsVersion, is_named_or_shown_in_digits) {
    STRCMP_EQUAL("SSLv2", version_name(0x0002).c_str());
    STRCMP_EQUAL("SSLv3", version_name(0x0300).c_str());
    STRCMP_EQUAL("TLSv1.0", version_name(0x0301).c_str());
    STRCMP_EQUAL("TLSv1.3", version_name(0x0304).c_str());
    STRCMP_EQUAL("DTLSv1.2", version_name(0xfefd).c_str());
    STRCMP_EQUAL("TLSv1.3-draft-28", version_name(0x7f1c).c_str());
    STRCMP_EQUAL("fb1a", version_name(0xfb1a).c_str());
}

TEST(TlsVersion, grease_is_told_from_the_rest) {
    CHECK(is_grease(0x0a0a));
    CHECK(is_grease(0xfafa));
    CHECK_FALSE(is_grease(0x0a1a));
    CHECK_FALSE(is_grease(0x0a));
    CHECK_FALSE(is_grease(0xc02f));
}

}  // namespace curlew::collector

#include "collector/protocols/fingerprint.h"

#include "collector/digest.h"
#include "tests/collector/protocols/tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

// The example of the specification of JA4, a browser of 2023.
ClientWords example_client() {
    return {.suites = {0x1301,
                       0x1302,
                       0x1303,
                       0xc02b,
                       0xc02f,
                       0xc02c,
                       0xc030,
                       0xcca9,
                       0xcca8,
                       0xc013,
                       0xc014,
                       0x009c,
                       0x009d,
                       0x002f,
                       0x0035},
            .extensions = {extension(0x001b, ""),
                           server_name("example.org"),
                           extension(0x0033, ""),
                           protocol_names({"h2", "http/1.1"}),
                           extension(0x4469, ""),
                           extension(0x0017, ""),
                           extension(0x002d, ""),
                           signature_algorithms(
                               {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}),
                           extension(0x0005, ""),
                           extension(0x0023, ""),
                           extension(0x0012, ""),
                           supported_versions({0x0304, 0x0303}),
                           extension(0xff01, ""),
                           point_formats("\0"s),
                           supported_groups({0x001d, 0x0017, 0x0018}),
                           extension(0x0015, "")}};
}

std::string ja4_of(const ClientWords& words) {
    const std::string body = client_hello(words);
    return ja4(read_client_hello(body, true), Transport::tls);
}

std::string ja3_text_of(const ClientWords& words) {
    const std::string body = client_hello(words);
    return ja3_text(read_client_hello(body, true));
}

// What ALPN gives.
std::string ends_in_ja4(const std::string& name) {
    return ja4_of({.extensions = {protocol_names({name})}}).substr(8, 2);
}

}  // namespace

TEST_GROUP(Ja4){};

TEST(Ja4, is_that_of_the_specification) {
    STRCMP_EQUAL("t13d1516h2_8daaf6152771_e5627efa2ab1", ja4_of(example_client()).c_str());
}

TEST(Ja4, leaves_grease_out_everywhere) {
    ClientWords words = example_client();
    words.suites.insert(words.suites.begin(), 0x5a5a);
    words.extensions.insert(words.extensions.begin(), extension(0x9a9a, ""));
    words.extensions.push_back(extension(0x1a1a, "\0"s));
    words.extensions[12] = supported_versions({0x4a4a, 0x0304, 0x0303});
    STRCMP_EQUAL("t13d1516h2_8daaf6152771_e5627efa2ab1", ja4_of(words).c_str());
}

TEST(Ja4, does_not_depend_on_the_order_of_suites_and_extensions) {
    ClientWords words = example_client();
    std::swap(words.suites.front(), words.suites.back());
    std::swap(words.extensions.front(), words.extensions.back());
    STRCMP_EQUAL("t13d1516h2_8daaf6152771_e5627efa2ab1", ja4_of(words).c_str());
}

TEST(Ja4, shows_transport_version_and_missing_name) {
    ClientWords words;
    words.version = 0x0302;
    words.suites = {0x002f};
    words.has_extensions = false;
    const std::string body = client_hello(words);
    const ClientHello hello = read_client_hello(body, true);
    STRCMP_EQUAL("t11i010000_ba72b8082249_000000000000", ja4(hello, Transport::tls).c_str());
    STRCMP_EQUAL("q11i010000_ba72b8082249_000000000000", ja4(hello, Transport::quic).c_str());
    words.version = 0xfefd;
    words.suites = {};
    const std::string datagram = client_hello(words);
    STRCMP_EQUAL("dd2i000000_000000000000_000000000000",
                 ja4(read_client_hello(datagram, true), Transport::dtls).c_str());
    words.version = 0x7777;
    STRCMP_EQUAL("t00i", ja4_of(words).substr(0, 4).c_str());
}

TEST(Ja4, counts_to_99) {
    ClientWords words;
    words.suites.assign(150, 0xc02f);
    words.extensions.assign(120, extension(0x0017, ""));
    STRCMP_EQUAL("t12i9999", ja4_of(words).substr(0, 8).c_str());
}

TEST(Ja4, shows_ends_of_the_first_protocol_name_or_of_its_digits) {
    STRCMP_EQUAL("h1", ends_in_ja4("http/1.1").c_str());
    STRCMP_EQUAL("hh", ends_in_ja4("h").c_str());
    STRCMP_EQUAL("00", ends_in_ja4("").c_str());
    STRCMP_EQUAL("ab", ends_in_ja4("\xab").c_str());
    STRCMP_EQUAL("ad", ends_in_ja4("\xab\xcd").c_str());
    STRCMP_EQUAL("3b", ends_in_ja4("0\xab").c_str());
    STRCMP_EQUAL("3d", ends_in_ja4("01\xab\xcd").c_str());
    STRCMP_EQUAL("01", ends_in_ja4("0\xab\xcd"s + "1").c_str());
}

TEST_GROUP(Ja3){};

TEST(Ja3, is_five_lists_without_grease) {
    const std::string text =
        ja3_text_of({.version = 0x0301,
                     .suites = {0x2a2a, 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
                     .extensions = {extension(0x3a3a, ""),
                                    server_name("example.org"),
                                    supported_groups({0x4a4a, 23, 24, 25}),
                                    point_formats("\0"s)}});
    STRCMP_EQUAL("769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
                 text.c_str());
    STRCMP_EQUAL("ada70206e40642a3e4461f35503241d5", md5_of(text).c_str());
}

TEST(Ja3, keeps_its_commas_without_extensions) {
    const std::string text = ja3_text_of({.version = 0x0301,
                                          .suites = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99},
                                          .has_extensions = false});
    STRCMP_EQUAL("769,4-5-10-9-100-98-3-6-19-18-99,,,", text.c_str());
    STRCMP_EQUAL("de350869b8c85de67a350c8d186f11e6", md5_of(text).c_str());
}

TEST(Ja3, of_a_server_has_one_suite) {
    const std::string body =
        server_hello({.version = 0x0301,
                      .suite = 47,
                      .extensions = {extension(0xff01, "\0"s), extension(0, "")}});
    STRCMP_EQUAL("769,47,65281-0", ja3s_text(read_server_hello(body, true)).c_str());
}

}  // namespace curlew::collector

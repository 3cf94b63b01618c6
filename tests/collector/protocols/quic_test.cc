#include "collector/protocols/quic.h"

#include <string>

#include "tests/collector/json_text.h"
#include "tests/collector/protocols/tls_words.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::collector;

namespace {

std::string connection(uint32_t version) {
    return number(0, 1) + number(version, 4) + counted(1, "id");
}

std::string crypto(size_t offset, const std::string& octets) {
    return number(1, 1) + number(offset, 4) + counted(2, octets);
}

std::string hello_message() {
    return message(
        1,
        client_hello({.suites = {0x1301},
                      .extensions = {server_name("example.org"), protocol_names({"h3"})}}));
}

std::string quic_object(const std::string& client, bool right = true) {
    JsonLine json;
    json.start_object();
    CHECK_EQUAL(right, write_quic(json, client));
    json.end_object();
    return std::string(json.finish());
}

}  // namespace

TEST_GROUP(Quic){};

TEST(Quic, a_hello_is_told_as_that_of_tls) {
    const std::string hello = hello_message();
    const std::string line =
        quic_object(connection(1) + crypto(9, hello.substr(9)) + crypto(0, hello.substr(0, 12)));
    CHECK_TRUE(
        contains(line, R"("quic":{"version":"1","sni":"example.org","alpn":["h3"],"cs":["1301"])"));
    CHECK_TRUE(contains(line, R"("ja4":"q12d0102h3_)"));
    CHECK_FALSE(contains(line, "cut"));
    CHECK_FALSE(contains(line, "malformed"));
}

TEST(Quic, versions_have_their_names) {
    CHECK_TRUE(contains(quic_object(connection(0x6b3343cf)), R"("version":"2")"));
    CHECK_TRUE(contains(quic_object(connection(0xff00001d)), R"("version":"draft-29")"));
    CHECK_TRUE(contains(quic_object(connection(0x51303433)), R"("version":"Q043")"));
    CHECK_TRUE(contains(quic_object(connection(0x54303531)), R"("version":"T051")"));
    CHECK_TRUE(contains(quic_object(connection(0xfaceb002)), R"("version":"faceb002")"));
}

TEST(Quic, a_client_that_begins_anew_counts_from_there) {
    const std::string line = quic_object(connection(0x51303433) + crypto(0, "CHLO") +
                                         connection(1) + crypto(0, hello_message()));
    CHECK_TRUE(contains(line, R"("version":"1","sni":"example.org")"));
}

TEST(Quic, googles_tags_are_read) {
    const std::string chlo = std::string("CHLO\2\0\0\0", 8) + std::string("SNI\0\4\0\0\0", 8) +
                             std::string("UAID\11\0\0\0", 8) + "a.deChrom";
    STRCMP_EQUAL(R"({"quic":{"version":"Q043","sni":"a.de","user_agent":"Chrom"}})"
                 "\n",
                 quic_object(connection(0x51303433) + crypto(0, chlo)).c_str());
    const std::string cut = chlo.substr(0, chlo.size() - 1);
    CHECK_TRUE(contains(quic_object(connection(0x51303433) + crypto(0, cut)),
                        R"("sni":"a.de","cut":true)"));
    std::string lie = chlo;
    lie[20] = '\1';
    CHECK_TRUE(contains(quic_object(connection(0x51303433) + crypto(0, lie), false),
                        R"("malformed":true)"));
}

TEST(Quic, what_is_cut_anywhere_is_told_to_there) {
    const std::string hello = hello_message();
    for (size_t i = 0; i < hello.size(); ++i) {
        CHECK_TRUE(
            contains(quic_object(connection(1) + crypto(0, hello.substr(0, i))), R"("cut":true)"));
    }
    STRCMP_EQUAL("{}", quic_object("").substr(0, 2).c_str());
}

TEST(Quic, entries_that_lie_are_malformed) {
    const std::string whole = connection(1) + crypto(0, hello_message());
    CHECK_TRUE(
        contains(quic_object(whole.substr(0, whole.size() - 1), false), R"("malformed":true)"));
    CHECK_TRUE(contains(quic_object(whole + "\7", false), R"("malformed":true)"));
    CHECK_TRUE(contains(quic_object(connection(1) + crypto(0, "\2" + number(0, 3)), false),
                        R"("malformed":true)"));
}

#include "collector/protocols/certificate.h"

#include <string>

#include "tests/collector/json_text.h"
#include "tests/collector/protocols/certificate_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string written(CertificateWriter& writer, const std::string& der, bool expected) {
    JsonLine json;
    CHECK_EQUAL(expected, writer.write(json, der));
    std::string line(json.finish());
    line.pop_back();
    return line;
}

std::string written(const std::string& der, bool expected = true) {
    CertificateWriter writer;
    return written(writer, der, expected);
}

}  // namespace

TEST_GROUP(CertificateWriter){};

TEST(CertificateWriter, every_member_is_written) {
    STRCMP_EQUAL(
        "{\"version\":3,\"serial\":\"c0ffee\",\"signature_algorithm\":\"ED25519\","
        "\"issuer\":\"O=Curlew\\\\, Inc.\",\"subject\":\"CN=example.org,O=Curlew\\\\, Inc.\","
        "\"not_before\":\"2020-02-29T12:34:56Z\",\"not_after\":\"2049-12-31T23:59:59Z\","
        "\"public_key_algorithm\":\"ED25519\",\"public_key_bits\":256,"
        "\"sha256\":\"fe3131495ef3a9fd29ff04f206d3af956215eecd624c15f3d3c9c78de637efda\","
        "\"san\":[\"example.org\",\"192.0.2.1\",\"2001:db8::1\"]}",
        written(make_certificate()).c_str());
}

TEST(CertificateWriter, names_are_utf8) {
    const std::string line =
        written(make_certificate({.common_name = "b\xc3\xa4r", .alternative_names = ""}));
    CHECK(contains(line, "\"subject\":\"CN=b\xc3\xa4r,O=Curlew\\\\, Inc.\""));
    CHECK_FALSE(contains(line, "san"));
}

TEST(CertificateWriter, long_names_are_cut) {
    const std::string line = written(make_certificate(
        {.common_name = "x", .alternative_names = "DNS:" + std::string(5000, 'y')}));
    CHECK(contains(line, "\"san\":[\"" + std::string(1024, 'y') + "\"]"));
}

TEST(CertificateWriter, number_of_alternative_names_is_bounded) {
    std::string names = "DNS:a0";
    for (int i = 1; i < 300; ++i) {
        names += ",DNS:a" + std::to_string(i);
    }
    const std::string line = written(make_certificate({.alternative_names = names}));
    CHECK(contains(line, "\"a127\"]"));
}

TEST(CertificateWriter, octets_that_are_none_leave_their_sum) {
    STRCMP_EQUAL(
        "{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"malformed\":true}",
        written("abc", false).c_str());
}

TEST(CertificateWriter, octets_behind_it_are_malformed) {
    const std::string line = written(make_certificate() + "x", false);
    CHECK(contains(line, "\"serial\":\"c0ffee\""));
    CHECK(contains(line, "\"malformed\":true"));
}

TEST(CertificateWriter, writes_a_kept_one_as_the_first_time) {
    CertificateWriter writer;
    const std::string der = make_certificate();
    const std::string first = written(writer, der, true);
    const std::string other = written(writer, "abc", false);
    const size_t kept = writer.kept_octets();
    CHECK_EQUAL(first.size() + other.size(), kept);
    STRCMP_EQUAL(first.c_str(), written(writer, der, true).c_str());
    STRCMP_EQUAL(other.c_str(), written(writer, "abc", false).c_str());
    CHECK_EQUAL(kept, writer.kept_octets());
}

TEST(CertificateWriter, keeps_up_to_a_bound) {
    std::string names = "DNS:a";
    for (int i = 0; i < 100; ++i) {
        names += ",DNS:" + std::string(1000, 'y');
    }
    CertificateWriter writer;
    size_t emptied = 0;
    for (int i = 0; i < 45; ++i) {
        const size_t before = writer.kept_octets();
        const std::string name = std::to_string(i);
        written(writer, make_certificate({.common_name = name, .alternative_names = names}), true);
        emptied += writer.kept_octets() < before ? 1 : 0;
        CHECK(writer.kept_octets() <= CertificateWriter::kMaximumKeptOctets);
    }
    CHECK_EQUAL(1u, emptied);
}

TEST(CertificateWriter, cut_anywhere_is_malformed) {
    const std::string der = make_certificate();
    for (size_t octets = 0; octets < der.size(); octets += 7) {
        CHECK(contains(written(der.substr(0, octets), false), "malformed"));
    }
}

}  // namespace curlew::collector

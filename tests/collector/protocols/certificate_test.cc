#include "collector/protocols/certificate.h"

#include <string>

#include "tests/collector/protocols/certificate_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string written(const std::string& der, bool expected = true) {
    JsonLine json;
    CHECK_EQUAL(expected, write_certificate(json, der));
    std::string line(json.finish());
    line.pop_back();
    return line;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_GROUP(Certificate){};

TEST(Certificate, every_member_is_written) {
    STRCMP_EQUAL(
        "{\"version\":3,\"serial\":\"c0ffee\",\"signature_algorithm\":\"ED25519\","
        "\"issuer\":\"O=Curlew\\\\, Inc.\",\"subject\":\"CN=example.org,O=Curlew\\\\, Inc.\","
        "\"not_before\":\"2020-02-29T12:34:56Z\",\"not_after\":\"2049-12-31T23:59:59Z\","
        "\"public_key_algorithm\":\"ED25519\",\"public_key_bits\":256,"
        "\"sha256\":\"fe3131495ef3a9fd29ff04f206d3af956215eecd624c15f3d3c9c78de637efda\","
        "\"san\":[\"example.org\",\"192.0.2.1\",\"2001:db8::1\"]}",
        written(make_certificate()).c_str());
}

TEST(Certificate, names_are_utf8) {
    const std::string line =
        written(make_certificate({.common_name = "b\xc3\xa4r", .alternative_names = ""}));
    CHECK(holds(line, "\"subject\":\"CN=b\xc3\xa4r,O=Curlew\\\\, Inc.\""));
    CHECK_FALSE(holds(line, "san"));
}

TEST(Certificate, long_names_are_cut) {
    const std::string line = written(make_certificate(
        {.common_name = "x", .alternative_names = "DNS:" + std::string(5000, 'y')}));
    CHECK(holds(line, "\"san\":[\"" + std::string(1024, 'y') + "\"]"));
}

TEST(Certificate, number_of_alternative_names_is_bounded) {
    std::string names = "DNS:a0";
    for (int i = 1; i < 300; ++i) {
        names += ",DNS:a" + std::to_string(i);
    }
    const std::string line = written(make_certificate({.alternative_names = names}));
    CHECK(holds(line, "\"a127\"]"));
}

TEST(Certificate, octets_that_are_none_leave_their_sum) {
    STRCMP_EQUAL(
        "{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
        "\"malformed\":true}",
        written("abc", false).c_str());
}

TEST(Certificate, octets_behind_it_are_malformed) {
    const std::string line = written(make_certificate() + "x", false);
    CHECK(holds(line, "\"serial\":\"c0ffee\""));
    CHECK(holds(line, "\"malformed\":true"));
}

TEST(Certificate, cut_anywhere_is_malformed) {
    const std::string der = make_certificate();
    for (size_t octets = 0; octets < der.size(); octets += 7) {
        CHECK(holds(written(der.substr(0, octets), false), "malformed"));
    }
}

}  // namespace curlew::collector

#include "collector/joy_certificate.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/collector/joy_fixture.h"
#include "tests/collector/json_text.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

// A certificate in words, signed with an Ed25519 key of fixed octets, so that all of it is fixed.
class CertificateBuilder {
  public:
    CertificateBuilder() {
        const std::vector<unsigned char> secret(32, 7);
        key_ =
            EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size());
        X509_set_version(certificate_, 2);
        serial("01");
        ASN1_TIME_set_string(X509_getm_notBefore(certificate_), "170331182835Z");
        ASN1_TIME_set_string(X509_getm_notAfter(certificate_), "180331182835Z");
        X509_set_pubkey(certificate_, key_);
    }
    ~CertificateBuilder() {
        X509_free(certificate_);
        EVP_PKEY_free(key_);
    }
    CertificateBuilder(const CertificateBuilder&) = delete;
    CertificateBuilder& operator=(const CertificateBuilder&) = delete;

    CertificateBuilder& serial(const std::string& hex) {
        BIGNUM* number = nullptr;
        BN_hex2bn(&number, hex.c_str());
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate_));
        BN_free(number);
        return *this;
    }
    CertificateBuilder& issuer(const char* field, const std::string& value) {
        add(X509_get_issuer_name(certificate_), field, value);
        return *this;
    }
    CertificateBuilder& subject(const char* field, const std::string& value) {
        add(X509_get_subject_name(certificate_), field, value);
        return *this;
    }
    CertificateBuilder& extension(int nid, const char* value) {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx_test(&context);
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
        X509_add_ext(certificate_, extension, -1);
        X509_EXTENSION_free(extension);
        return *this;
    }
    CertificateBuilder& extension(const char* numbers, const std::string& value) {
        ASN1_OBJECT* object = OBJ_txt2obj(numbers, 1);
        ASN1_OCTET_STRING* octets = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(octets,
                              reinterpret_cast<const unsigned char*>(value.data()),
                              static_cast<int>(value.size()));
        X509_EXTENSION* extension = X509_EXTENSION_create_by_OBJ(nullptr, object, 0, octets);
        X509_add_ext(certificate_, extension, -1);
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(octets);
        ASN1_OBJECT_free(object);
        return *this;
    }
    std::string der() {
        X509_sign(certificate_, key_, nullptr);
        unsigned char* octets = nullptr;
        const int length = i2d_X509(certificate_, &octets);
        const std::string der(reinterpret_cast<char*>(octets), static_cast<size_t>(length));
        OPENSSL_free(octets);
        return der;
    }

  private:
    static void add(X509_NAME* name, const char* field, const std::string& value) {
        X509_NAME_add_entry_by_txt(name,
                                   field,
                                   MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()),
                                   -1,
                                   0);
    }

    X509* certificate_ = X509_new();
    EVP_PKEY* key_;
};

std::string joy_object(const std::string& der) {
    const std::string text = members([&](JsonLine& json) {
        json.key("c");
        write_joy_certificate(json, der);
    });
    return text.substr(4);
}

// How often `part` is in `text`.
int count_of(const std::string& text, const std::string& part) {
    int count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

}  // namespace

TEST_GROUP(JoyCertificate) {
    CertificateBuilder certificate;
};

TEST(JoyCertificate, members_are_in_joys_order) {
    const std::string text = joy_object(certificate.issuer("C", "US")
                                            .issuer("CN", "Joy")
                                            .subject("CN", "a.net")
                                            .extension(NID_basic_constraints, "CA:TRUE")
                                            .der());
    size_t at = 0;
    for (const char* part : {R"({"length":)",
                             R"(,"serial_number":"01","signature":")",
                             R"(","signature_algo":"ED25519","signature_key_size":512,)",
                             R"("issuer":[{"countryName":"US"},{"commonName":"Joy"}],)",
                             R"("subject":[{"commonName":"a.net"}],)",
                             R"("extensions":[{"X509v3 Basic Constraints":"CA:TRUE"}],)",
                             R"("validity_not_before":"Mar 31 18:28:35 2017 GMT",)",
                             R"("validity_not_after":"Mar 31 18:28:35 2018 GMT",)",
                             R"("subject_public_key_algo":"ED25519",)",
                             R"("subject_public_key_size":256})"}) {
        at = text.find(part, at);
        CHECK_TRUE_TEXT(at != std::string::npos, part);
    }
}

TEST(JoyCertificate, the_length_is_that_of_its_octets) {
    const std::string der = certificate.der();
    CHECK_TRUE(joy_object(der).starts_with("{\"length\":" + std::to_string(der.size()) + ","));
    STRCMP_EQUAL(R"({"length":7})", joy_object("not DER").c_str());
    STRCMP_EQUAL(R"({"length":20})", joy_object(der.substr(0, 20)).c_str());
}

TEST(JoyCertificate, a_serial_number_of_more_than_24_octets_is_left_out) {
    CHECK_TRUE(contains(joy_object(certificate.serial(std::string(48, '7')).der()),
                        R"("serial_number":"777777777777777777777777777777777777777777777777",)"));
    CHECK_FALSE(
        contains(joy_object(certificate.serial(std::string(50, '7')).der()), "serial_number"));
}

TEST(JoyCertificate, names_are_safe_and_twelve_at_most) {
    certificate.subject("CN", "a/b\"c\\d\xc3\xa9");
    for (int i = 0; i < 13; ++i) {
        certificate.subject("OU", "unit");
    }
    const std::string text = joy_object(certificate.der());
    CHECK_TRUE(contains(text, R"({"commonName":"a.b.c.d.."})"));
    CHECK_EQUAL(11, count_of(text, "organizationalUnitName"));
}

TEST(JoyCertificate, an_unknown_extension_has_numbers_and_its_octets) {
    const std::string text = joy_object(certificate.extension("1.2.3.4.5", "a/\x01z").der());
    CHECK_TRUE(contains(text, R"({"1.2.3.4.5":"a..z"})"));
}

// As OpenSSL 1.1 prints them, whichever is here.
TEST(JoyCertificate, extensions_of_several_lines_end_with_a_line_feed) {
    const std::string text = joy_object(
        certificate
            .extension(NID_crl_distribution_points, "URI:http://a.net/x.crl,URI:http://b.net/y.crl")
            .extension(NID_info_access, "OCSP;URI:http://o.net/")
            .extension("2.5.29.32",
                       std::string("\x30\x0e\x30\x05\x06\x03\x2a\x03\x04"
                                   "\x30\x05\x06\x03\x2a\x03\x05"))
            .extension(NID_name_constraints, "permitted;DNS:a.net,excluded;DNS:b.net")
            .extension(NID_key_usage, "digitalSignature,keyAgreement")
            .extension("2.5.29.35", std::string("\x30\x04\x80\x02\xab\xcd"))
            .der());
    for (
        const char* part :
        {R"(Points":".Full Name:.  URI:http:..a.net.x.crl..Full Name:.  URI:http:..b.net.y.crl."})",
         R"({"Authority Information Access":"OCSP - URI:http:..o.net.."})",
         R"(Policies":"Policy: 1.2.3.4.Policy: 1.2.3.5."})",
         R"(Constraints":"Permitted:.  DNS:a.net.Excluded:.  DNS:b.net."})",
         R"({"X509v3 Key Usage":"Digital Signature, Key Agreement"})",
         R"(Authority Key Identifier":"keyid:AB:CD."})"}) {
        CHECK_TRUE_TEXT(contains(text, part), (part + (" in " + text)).c_str());
    }
    // A point with reasons and an issuer, which has a name relative to that one's.
    CertificateBuilder rare;
    const std::string points = joy_object(
        rare.extension("2.5.29.31",
                       std::string("\x30\x2a\x30\x28"
                                   "\xa0\x0e\xa1\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03"
                                   "abc"
                                   "\x81\x02\x05\x60"
                                   "\xa2\x12\xa4\x10\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03"
                                   "\x0c\x03xyz"))
            .der());
    CHECK_TRUE_TEXT(contains(points,
                             R"(Points":".Relative Name:.  CN = abc.Reasons:.  )"
                             R"(Key Compromise, CA Compromise.CRL Issuer:.  DirName:CN = xyz."})"),
                    points.c_str());
    CertificateBuilder other;
    const std::string serial =
        joy_object(other.extension("2.5.29.35", std::string("\x30\x03\x82\x01\x05")).der());
    CHECK_TRUE_TEXT(contains(serial, R"(Authority Key Identifier":"serial:05."})"), serial.c_str());
}

TEST(JoyCertificate, names_of_objects_have_31_characters) {
    const std::string text = joy_object(certificate.extension(NID_subject_alt_name, "DNS:a.net")
                                            .extension("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15", "x")
                                            .der());
    CHECK_TRUE(contains(text, R"({"X509v3 Subject Alternative Name":"DNS:a.net"})"));
    CHECK_TRUE(contains(text, R"({"1.2.3.4.5.6.7.8.9.10.11.12.13.1":"x"})"));
}

TEST(JoyCertificate, every_truncation_is_survived) {
    const std::string der = certificate.issuer("CN", "Joy").der();
    for (size_t size = 0; size < der.size(); ++size) {
        STRCMP_EQUAL(("{\"length\":" + std::to_string(size) + "}").c_str(),
                     joy_object(der.substr(0, size)).c_str());
    }
}

}  // namespace curlew::collector

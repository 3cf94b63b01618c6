#include "collector/x509.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

struct KeyRelease {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyRelease>;

std::string der_of(X509* certificate) {
    unsigned char* octets = nullptr;
    const int length = i2d_X509(certificate, &octets);
    CHECK_TRUE(length > 0);
    std::string der(reinterpret_cast<char*>(octets), static_cast<size_t>(length));
    OPENSSL_free(octets);
    return der;
}

Certificate certificate_with(EVP_PKEY* key) {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), 1);
    ASN1_TIME_set_string(X509_getm_notBefore(certificate.get()), "20200229123456Z");
    ASN1_TIME_set_string(X509_getm_notAfter(certificate.get()), "20491231235959Z");
    CHECK_EQUAL(1, X509_set_pubkey(certificate.get(), key));
    // Who signed it is nobody's matter here.
    const Key signer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    CHECK_TRUE(X509_sign(certificate.get(), signer.get(), nullptr) > 0);
    return certificate;
}

uint32_t bits_in(const std::string& der) {
    size_t octets = 0;
    const Certificate certificate = decode_certificate(der, octets);
    CHECK_TRUE(certificate != nullptr);
    CHECK_EQUAL(der.size(), octets);
    return public_key_bits(certificate.get());
}

// As OpenSSL itself says, who decodes the key.
void check_bits(const Key& key) {
    CHECK_TRUE(key != nullptr);
    CHECK_EQUAL(static_cast<uint32_t>(EVP_PKEY_get_bits(key.get())),
                bits_in(der_of(certificate_with(key.get()).get())));
}

Key curve_key(const char* curve, int encoding) {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
    EVP_PKEY* key = nullptr;
    CHECK_TRUE(EVP_PKEY_keygen_init(context) > 0);
    CHECK_TRUE(EVP_PKEY_CTX_set_group_name(context, curve) > 0);
    CHECK_TRUE(EVP_PKEY_CTX_set_ec_param_enc(context, encoding) > 0);
    CHECK_TRUE(EVP_PKEY_keygen(context, &key) > 0);
    EVP_PKEY_CTX_free(context);
    return Key(key);
}

Key key_of_rsa_pss() {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
    EVP_PKEY* key = nullptr;
    CHECK_TRUE(EVP_PKEY_keygen_init(context) > 0);
    CHECK_TRUE(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 1024) > 0);
    CHECK_TRUE(EVP_PKEY_keygen(context, &key) > 0);
    EVP_PKEY_CTX_free(context);
    return Key(key);
}

}  // namespace

TEST_GROUP(X509){};

TEST(X509, key_bits_are_those_that_a_decoded_key_has) {
    check_bits(Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1023})));
    check_bits(Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024})));
    check_bits(key_of_rsa_pss());
    for (const char* algorithm : {"ED25519", "ED448", "X25519", "X448"}) {
        check_bits(Key(EVP_PKEY_Q_keygen(nullptr, nullptr, algorithm)));
    }
    // The order of the last has two bits less than its field.
    for (const char* curve : {"P-256", "P-521", "secp256k1", "brainpoolP384r1", "secp112r2"}) {
        check_bits(curve_key(curve, OPENSSL_EC_NAMED_CURVE));
        check_bits(curve_key(curve, OPENSSL_EC_EXPLICIT_CURVE));
    }
}

TEST(X509, a_key_is_not_decoded) {
    const Key key = curve_key("P-256", OPENSSL_EC_NAMED_CURVE);
    std::string der = der_of(certificate_with(key.get()).get());
    // A point that lies on no curve: its first octet is none of SEC 1 section 2.3.4.
    unsigned char* point = nullptr;
    const size_t octets = EVP_PKEY_get1_encoded_public_key(key.get(), &point);
    const size_t at = der.find(std::string(reinterpret_cast<char*>(point), octets));
    OPENSSL_free(point);
    CHECK_TRUE(at != std::string::npos);
    der[at] = 9;
    CHECK_EQUAL(256u, bits_in(der));
    const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
    const Certificate decoded(d2i_X509(nullptr, &begin, static_cast<long>(der.size())));
    POINTERS_EQUAL(nullptr, X509_get0_pubkey(decoded.get()));
}

TEST(X509, what_is_no_certificate_is_none) {
    size_t octets = 7;
    POINTERS_EQUAL(nullptr, decode_certificate("", octets).get());
    CHECK_EQUAL(0u, octets);
    const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    const std::string der = der_of(certificate_with(key.get()).get());
    POINTERS_EQUAL(nullptr, decode_certificate(der.substr(0, der.size() - 1), octets).get());
    CHECK_TRUE(decode_certificate(der + "xyz", octets) != nullptr);
    CHECK_EQUAL(der.size(), octets);
}

TEST(X509, an_algorithm_that_nobody_knows_tells_no_bits) {
    const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    const Certificate certificate = certificate_with(key.get());
    ASN1_OBJECT* object = OBJ_txt2obj("1.2.3.4", 1);
    auto* octets = static_cast<unsigned char*>(OPENSSL_malloc(1));
    *octets = 0;
    CHECK_EQUAL(
        1,
        X509_PUBKEY_set0_param(
            X509_get_X509_PUBKEY(certificate.get()), object, V_ASN1_UNDEF, nullptr, octets, 1));
    CHECK_EQUAL(0u, public_key_bits(certificate.get()));
}

}  // namespace curlew::collector

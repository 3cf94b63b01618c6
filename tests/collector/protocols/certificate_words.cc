#include "tests/collector/protocols/certificate_words.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cassert>

namespace curlew::collector {
namespace {

void require(bool right) {
    assert(right);
    static_cast<void>(right);
}

void add_entry(X509_NAME* name, const char* field, const std::string& text) {
    require(X509_NAME_add_entry_by_txt(name,
                                       field,
                                       MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()),
                                       -1,
                                       0) == 1);
}

void add_alternative_names(X509* certificate, const std::string& names) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, names.c_str());
    require(extension != nullptr);
    require(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

}  // namespace

std::string make_certificate(const CertificateWords& words) {
    std::array<unsigned char, 32> secret{};
    secret.fill(7);
    EVP_PKEY* key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size());
    X509* certificate = X509_new();
    require(X509_set_version(certificate, 2) == 1);
    require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), 0xc0ffee) == 1);
    require(ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20200229123456Z") == 1);
    require(ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20491231235959Z") == 1);
    X509_NAME* name = X509_get_subject_name(certificate);
    add_entry(name, "O", words.organization);
    require(X509_set_issuer_name(certificate, name) == 1);
    add_entry(name, "CN", words.common_name);
    if (!words.alternative_names.empty()) {
        add_alternative_names(certificate, words.alternative_names);
    }
    require(X509_set_pubkey(certificate, key) == 1);
    require(X509_sign(certificate, key, nullptr) > 0);
    unsigned char* der = nullptr;
    const int length = i2d_X509(certificate, &der);
    require(length > 0);
    std::string octets(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return octets;
}

}  // namespace curlew::collector

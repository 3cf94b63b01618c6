#include "collector/x509.h"

#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/provider.h>

#include <stdexcept>

namespace curlew::collector {
namespace {

struct SequenceRelease {
    void operator()(ASN1_SEQUENCE_ANY* sequence) const noexcept {
        sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
    }
};
using Sequence = std::unique_ptr<ASN1_SEQUENCE_ANY, SequenceRelease>;

struct GroupRelease {
    void operator()(EC_GROUP* group) const noexcept { EC_GROUP_free(group); }
};

// Members of ECParameters, SEC 1 section C.2.
constexpr int kOrderMember = 4;

// Who knows no algorithm decodes no key.
class WithoutKeys {
  public:
    WithoutKeys() : context_(OSSL_LIB_CTX_new()) {
        if (context_ == nullptr || OSSL_PROVIDER_load(context_, "null") == nullptr) {
            throw std::runtime_error("OpenSSL cannot be made to decode certificates");
        }
    }
    OSSL_LIB_CTX* get() const noexcept { return context_; }

  private:
    OSSL_LIB_CTX* context_;  // to the end of the process
};

Sequence sequence_in(const unsigned char* octets, long count) {
    return Sequence(d2i_ASN1_SEQUENCE_ANY(nullptr, &octets, count));
}

// 0 when it is no positive number.
uint32_t bits_of(const ASN1_TYPE* value) {
    if (value == nullptr || ASN1_TYPE_get(value) != V_ASN1_INTEGER ||
        (ASN1_STRING_type(value->value.integer) & V_ASN1_NEG) != 0) {
        return 0;
    }
    const unsigned char* octets = ASN1_STRING_get0_data(value->value.integer);
    int count = ASN1_STRING_length(value->value.integer);
    while (count > 0 && *octets == 0) {
        ++octets;
        --count;
    }
    uint32_t bits = 8 * static_cast<uint32_t>(count);
    for (unsigned first = count > 0 ? *octets : 0x80u; (first & 0x80u) == 0; first <<= 1) {
        --bits;
    }
    return bits;
}

uint32_t bits_of_member(const Sequence& sequence, int member) {
    return sequence == nullptr ? 0 : bits_of(sk_ASN1_TYPE_value(sequence.get(), member));
}

uint32_t bits_of_curve(int curve) {
    const std::unique_ptr<EC_GROUP, GroupRelease> group(EC_GROUP_new_by_curve_name(curve));
    return group == nullptr ? 0 : static_cast<uint32_t>(EC_GROUP_order_bits(group.get()));
}

// `sequence` is the DER of one.
uint32_t bits_of_member(const ASN1_STRING* sequence, int member) {
    return bits_of_member(
        sequence_in(ASN1_STRING_get0_data(sequence), ASN1_STRING_length(sequence)), member);
}

}  // namespace

Certificate decode_certificate(std::string_view der, size_t& octets) {
    static const WithoutKeys without_keys;
    const auto* const begin = reinterpret_cast<const unsigned char*>(der.data());
    const unsigned char* end = begin;
    X509* empty = X509_new_ex(without_keys.get(), nullptr);
    // Frees it when it fails.
    Certificate certificate(
        empty == nullptr ? nullptr : d2i_X509(&empty, &end, static_cast<long>(der.size())));
    octets = certificate == nullptr ? 0 : static_cast<size_t>(end - begin);
    return certificate;
}

uint32_t public_key_bits(const X509* certificate) {
    const unsigned char* key = nullptr;
    int key_octets = 0;
    X509_ALGOR* algorithm = nullptr;
    if (X509_PUBKEY_get0_param(
            nullptr, &key, &key_octets, &algorithm, X509_get_X509_PUBKEY(certificate)) != 1) {
        return 0;
    }
    const ASN1_OBJECT* object = nullptr;
    int type = 0;
    const void* parameter = nullptr;
    X509_ALGOR_get0(&object, &type, &parameter, algorithm);
    const auto* sequence =
        type == V_ASN1_SEQUENCE ? static_cast<const ASN1_STRING*>(parameter) : nullptr;
    switch (OBJ_obj2nid(object)) {
        case NID_rsaEncryption:
        case NID_rsa:
        case NID_rsassaPss:
            return bits_of_member(sequence_in(key, key_octets), 0);
        case NID_dsa:
        case NID_dsa_2:
        case NID_dsaWithSHA:
        case NID_dsaWithSHA1:
        case NID_dsaWithSHA1_2:
        case NID_dhKeyAgreement:
        case NID_dhpublicnumber:
            return sequence == nullptr ? 0 : bits_of_member(sequence, 0);
        case NID_X9_62_id_ecPublicKey:
        case NID_sm2:
            if (type == V_ASN1_OBJECT) {
                return bits_of_curve(OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(parameter)));
            }
            return sequence == nullptr ? 0 : bits_of_member(sequence, kOrderMember);
        case NID_X25519:
            return 253;
        case NID_ED25519:
            return 256;
        case NID_X448:
            return 448;
        case NID_ED448:
            return 456;
        default:
            return 0;
    }
}

}  // namespace curlew::collector

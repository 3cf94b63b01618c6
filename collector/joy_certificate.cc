#include "collector/joy_certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "collector/joy_text.h"
#include "collector/x509.h"

namespace curlew::collector {
namespace {

constexpr int kMaximumItems = 12;  // names in an issuer or subject, and extensions
constexpr size_t kObjectNameOctets = 31;
constexpr size_t kSerialOctets = 24;
constexpr size_t kSignatureOctets = 512;

template <auto Free>
struct Freed {
    template <typename Type>
    void operator()(Type* pointer) const {
        Free(pointer);
    }
};
using AuthorityKey = std::unique_ptr<AUTHORITY_KEYID, Freed<AUTHORITY_KEYID_free>>;
using DistributionPoints = std::unique_ptr<CRL_DIST_POINTS, Freed<CRL_DIST_POINTS_free>>;
using Name = std::unique_ptr<X509_NAME, Freed<X509_NAME_free>>;
using MemoryBio = std::unique_ptr<BIO, Freed<BIO_free>>;

std::string_view octets_in(const ASN1_STRING* string) {
    const unsigned char* data = ASN1_STRING_get0_data(string);
    const int length = ASN1_STRING_length(string);
    if (data == nullptr || length <= 0) {
        return {};
    }
    return {reinterpret_cast<const char*>(data), static_cast<size_t>(length)};
}

std::string_view octets_in(BIO* memory) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(memory, &data);
    return {data, length > 0 ? static_cast<size_t>(length) : 0};
}

// OpenSSL's long name, or the numbers of an object that it does not know.
std::string object_name(const ASN1_OBJECT* object) {
    const int nid = OBJ_obj2nid(object);
    if (nid != NID_undef) {
        return std::string(std::string_view(OBJ_nid2ln(nid)).substr(0, kObjectNameOctets));
    }
    std::array<char, kObjectNameOctets + 1> numbers{};
    OBJ_obj2txt(numbers.data(), static_cast<int>(numbers.size()), object, 1);
    return numbers.data();
}

void write_item(JsonLine& json, const ASN1_OBJECT* object, std::string_view value) {
    json.start_object();
    json.text(joy_text(object_name(object)), joy_text(value));
    json.end_object();
}

void write_signature(JsonLine& json, const X509* certificate) {
    const ASN1_BIT_STRING* signature = nullptr;
    const X509_ALGOR* algorithm = nullptr;
    X509_get0_signature(&signature, &algorithm, certificate);
    if (signature == nullptr || algorithm == nullptr) {
        return;
    }
    const std::string_view octets = octets_in(signature);
    if (octets.size() > kSignatureOctets) {
        return;
    }
    json.hex("signature", octets);
    const ASN1_OBJECT* object = nullptr;
    X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
    if (object != nullptr) {
        json.text("signature_algo", object_name(object));
    }
    if (!octets.empty()) {
        json.number("signature_key_size", octets.size() * 8);
    }
}

void write_joy_name(JsonLine& json, std::string_view key, const X509_NAME* name) {
    const int count = std::min(X509_NAME_entry_count(name), kMaximumItems);
    if (count <= 0) {
        return;
    }
    json.key(key);
    json.start_array();
    for (int i = 0; i < count; ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
        write_item(
            json, X509_NAME_ENTRY_get_object(entry), octets_in(X509_NAME_ENTRY_get_data(entry)));
    }
    json.end_array();
}

bool is_key_alone(X509_EXTENSION* extension) {
    const AuthorityKey key(static_cast<AUTHORITY_KEYID*>(X509V3_EXT_d2i(extension)));
    return key && key->keyid != nullptr && key->issuer == nullptr && key->serial == nullptr;
}

void print_general_names(BIO* out, const GENERAL_NAMES* names) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        BIO_puts(out, "  ");
        GENERAL_NAME_print(out, sk_GENERAL_NAME_value(names, i));
        BIO_puts(out, "\n");
    }
}

void print_relative_name(BIO* out, const STACK_OF(X509_NAME_ENTRY) * entries) {
    const Name name(X509_NAME_new());
    for (int i = 0; i < sk_X509_NAME_ENTRY_num(entries); ++i) {
        X509_NAME_add_entry(name.get(), sk_X509_NAME_ENTRY_value(entries, i), -1, i == 0 ? 0 : -1);
    }
    BIO_puts(out, "Relative Name:\n  ");
    X509_NAME_print_ex(out, name.get(), 0, XN_FLAG_ONELINE);
    BIO_puts(out, "\n");
}

// RFC 5280 section 4.2.1.13: by their bits.
void print_reasons(BIO* out, const ASN1_BIT_STRING* reasons) {
    constexpr std::array<const char*, 9> kReasons = {"Unused",
                                                     "Key Compromise",
                                                     "CA Compromise",
                                                     "Affiliation Changed",
                                                     "Superseded",
                                                     "Cessation Of Operation",
                                                     "Certificate Hold",
                                                     "Privilege Withdrawn",
                                                     "AA Compromise"};
    BIO_puts(out, "Reasons:\n  ");
    bool is_first = true;
    for (size_t bit = 0; bit < kReasons.size(); ++bit) {
        if (ASN1_BIT_STRING_get_bit(reasons, static_cast<int>(bit)) != 0) {
            BIO_puts(out, is_first ? "" : ", ");
            BIO_puts(out, kReasons[bit]);
            is_first = false;
        }
    }
    BIO_puts(out, is_first ? "<EMPTY>\n" : "\n");
}

// Each begins with a line feed.
void print_distribution_points(BIO* out, const CRL_DIST_POINTS* points) {
    for (int i = 0; i < sk_DIST_POINT_num(points); ++i) {
        const DIST_POINT* point = sk_DIST_POINT_value(points, i);
        BIO_puts(out, "\n");
        if (point->distpoint != nullptr && point->distpoint->type == 0) {
            BIO_puts(out, "Full Name:\n");
            print_general_names(out, point->distpoint->name.fullname);
        } else if (point->distpoint != nullptr) {
            print_relative_name(out, point->distpoint->name.relativename);
        }
        if (point->reasons != nullptr) {
            print_reasons(out, point->reasons);
        }
        if (point->CRLissuer != nullptr) {
            BIO_puts(out, "CRL Issuer:\n");
            print_general_names(out, point->CRLissuer);
        }
    }
}

// What OpenSSL 3 prints, as versions 1.0 and 1.1 did, with which Joy was built: lists of several
// lines ended with the last one's line feed, and a key's identifier was called that also where
// nothing else stood beside it. An otherName in alternative names, which was "<unsupported>" to
// them, stays as OpenSSL 3 prints it.
std::string as_printed_before(X509_EXTENSION* extension, std::string text) {
    switch (OBJ_obj2nid(X509_EXTENSION_get_object(extension))) {
        case NID_crl_distribution_points:
        case NID_freshest_crl: {
            const MemoryBio out(BIO_new(BIO_s_mem()));
            const DistributionPoints points(
                static_cast<CRL_DIST_POINTS*>(X509V3_EXT_d2i(extension)));
            print_distribution_points(out.get(), points.get());
            return std::string(octets_in(out.get()));
        }
        case NID_authority_key_identifier:
            text.insert(0, is_key_alone(extension) ? "keyid:" : "");
            break;
        case NID_info_access:
        case NID_sinfo_access:
        case NID_certificate_policies:
        case NID_name_constraints:
        case NID_proxyCertInfo:
            break;
        default:
            return text;
    }
    if (!text.ends_with('\n')) {
        text += '\n';
    }
    return text;
}

void write_extensions(JsonLine& json, const X509* certificate) {
    const int count = std::min(X509_get_ext_count(certificate), kMaximumItems);
    if (count <= 0) {
        return;
    }
    json.key("extensions");
    json.start_array();
    for (int i = 0; i < count; ++i) {
        X509_EXTENSION* extension = X509_get_ext(certificate, i);
        const MemoryBio text(BIO_new(BIO_s_mem()));
        if (X509V3_EXT_print(text.get(), extension, 0, 0) != 0) {
            write_item(json,
                       X509_EXTENSION_get_object(extension),
                       as_printed_before(extension, std::string(octets_in(text.get()))));
            continue;
        }
        ASN1_STRING_print(text.get(), X509_EXTENSION_get_data(extension));
        write_item(json, X509_EXTENSION_get_object(extension), octets_in(text.get()));
    }
    json.end_array();
}

void write_joy_time(JsonLine& json, std::string_view key, const ASN1_TIME* time) {
    const MemoryBio text(BIO_new(BIO_s_mem()));
    if (time != nullptr) {
        ASN1_TIME_print(text.get(), time);
    }
    if (!octets_in(text.get()).empty()) {
        json.text(key, joy_text(octets_in(text.get())));
    }
}

void write_joy_public_key(JsonLine& json, const X509* certificate) {
    const uint32_t bits = public_key_bits(certificate);
    ASN1_OBJECT* object = nullptr;
    if (bits == 0 ||
        X509_PUBKEY_get0_param(
            &object, nullptr, nullptr, nullptr, X509_get_X509_PUBKEY(certificate)) != 1) {
        return;
    }
    const std::string_view algorithm = OBJ_nid2ln(EVP_PKEY_type(OBJ_obj2nid(object)));
    json.text("subject_public_key_algo", algorithm.substr(0, kObjectNameOctets));
    if (const auto in_joy = static_cast<uint16_t>(bits); in_joy != 0) {
        json.number("subject_public_key_size", in_joy);
    }
}

}  // namespace

void write_joy_certificate(JsonLine& json, const std::string& der) {
    json.start_object();
    json.number("length", der.size());
    size_t octets = 0;
    const Certificate certificate = decode_certificate(der, octets);
    if (certificate) {
        const std::string_view serial = octets_in(X509_get0_serialNumber(certificate.get()));
        if (serial.size() <= kSerialOctets) {
            json.hex("serial_number", serial);
        }
        write_signature(json, certificate.get());
        write_joy_name(json, "issuer", X509_get_issuer_name(certificate.get()));
        write_joy_name(json, "subject", X509_get_subject_name(certificate.get()));
        write_extensions(json, certificate.get());
        write_joy_time(json, "validity_not_before", X509_get0_notBefore(certificate.get()));
        write_joy_time(json, "validity_not_after", X509_get0_notAfter(certificate.get()));
        write_joy_public_key(json, certificate.get());
    }
    json.end_object();
}

}  // namespace curlew::collector

#include "collector/protocols/certificate.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <string>

#include "collector/protocols/wire_member.h"
#include "collector/x509.h"

namespace curlew::collector {
namespace {

constexpr size_t kMaximumAlternativeNames = 128;
constexpr size_t kMaximumSerialOctets = 64;

template <auto Free>
struct Deleter {
    template <typename Object>
    void operator()(Object* object) const noexcept {
        Free(object);
    }
};
using BioPointer = std::unique_ptr<BIO, Deleter<BIO_free>>;
using NamesPointer = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;

std::string_view octets_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<size_t>(ASN1_STRING_length(string))};
}

// Escaped as RFC 2253 has it, but UTF-8 as it is.
void write_name(JsonLine& json, std::string_view key, const X509_NAME* name) {
    constexpr unsigned long kForm = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
    const BioPointer text(BIO_new(BIO_s_mem()));
    if (text == nullptr || X509_NAME_print_ex(text.get(), name, 0, kForm) < 0) {
        return;
    }
    char* octets = nullptr;
    const long length = BIO_get_mem_data(text.get(), &octets);
    write_wire_text(json, key, {octets, static_cast<size_t>(std::max(length, 0L))});
}

void write_time(JsonLine& json, std::string_view key, const ASN1_TIME* time) {
    std::tm utc{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) {
        return;
    }
    json.text(key,
              fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                          utc.tm_year + 1900,
                          utc.tm_mon + 1,
                          utc.tm_mday,
                          utc.tm_hour,
                          utc.tm_min,
                          utc.tm_sec));
}

void write_algorithm(JsonLine& json, std::string_view key, const ASN1_OBJECT* algorithm) {
    std::array<char, 80> text{};
    if (OBJ_obj2txt(text.data(), text.size(), algorithm, 0) > 0) {
        json.text(key, wire_text(text.data()));
    }
}

void write_serial(JsonLine& json, const X509* certificate) {
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
    const bool negative = (ASN1_STRING_type(serial) & V_ASN1_NEG) != 0;
    json.text("serial",
              (negative ? "-" : "") + to_hex(octets_of(serial).substr(0, kMaximumSerialOctets)));
}

void write_public_key(JsonLine& json, const X509* certificate) {
    ASN1_OBJECT* algorithm = nullptr;
    if (X509_PUBKEY_get0_param(
            &algorithm, nullptr, nullptr, nullptr, X509_get_X509_PUBKEY(certificate)) == 1) {
        write_algorithm(json, "public_key_algorithm", algorithm);
    }
    if (const uint32_t bits = public_key_bits(certificate); bits != 0) {
        json.number("public_key_bits", bits);
    }
}

// DNS names and IP addresses only.
void write_alternative_names(JsonLine& json, const X509* certificate) {
    const NamesPointer names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (names == nullptr) {
        return;
    }
    json.key("san");
    json.start_array();
    size_t written = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        int type = 0;
        const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
        if (written == kMaximumAlternativeNames) {
            break;
        }
        if (type == GEN_DNS) {
            write_wire_text(json, octets_of(static_cast<const ASN1_STRING*>(value)));
            ++written;
        } else if (type == GEN_IPADD) {
            const std::string address =
                address_text(octets_of(static_cast<const ASN1_STRING*>(value)));
            if (!address.empty()) {
                json.text(address);
                ++written;
            }
        }
    }
    json.end_array();
}

void write_fields(JsonLine& json, const X509* certificate) {
    if (const long version = X509_get_version(certificate); version >= 0 && version < 256) {
        json.number("version", static_cast<uint64_t>(version) + 1);
    }
    write_serial(json, certificate);
    const X509_ALGOR* signature = X509_get0_tbs_sigalg(certificate);
    write_algorithm(json, "signature_algorithm", signature->algorithm);
    write_name(json, "issuer", X509_get_issuer_name(certificate));
    write_name(json, "subject", X509_get_subject_name(certificate));
    write_time(json, "not_before", X509_get0_notBefore(certificate));
    write_time(json, "not_after", X509_get0_notAfter(certificate));
    write_public_key(json, certificate);
}

bool write_object(JsonLine& json, std::string_view der, std::string_view sum) {
    size_t octets = 0;
    const Certificate certificate = decode_certificate(der, octets);
    json.start_object();
    if (certificate != nullptr) {
        write_fields(json, certificate.get());
    }
    json.text("sha256", sum);
    if (certificate != nullptr) {
        write_alternative_names(json, certificate.get());
    }
    const bool right = certificate != nullptr && octets == der.size();
    if (!right) {
        write_mark(json, "malformed");
    }
    json.end_object();
    // What went wrong inside is no error of this thread's.
    ERR_clear_error();
    return right;
}

}  // namespace

bool CertificateWriter::write(JsonLine& json, std::string_view der) {
    digest_.update(der);
    const std::string sum = digest_.finish();
    auto found = kept_.find(sum);
    if (found == kept_.end()) {
        line_.clear();
        const bool right = write_object(line_, der, sum);
        std::string_view object = line_.finish();
        object.remove_suffix(1);  // the newline
        if (kept_octets_ + object.size() > kMaximumKeptOctets) {
            kept_.clear();
            kept_octets_ = 0;
        }
        kept_octets_ += object.size();
        found = kept_.emplace(sum, Written{std::string(object), right}).first;
    }
    json.raw(found->second.object);
    return found->second.right;
}

}  // namespace curlew::collector

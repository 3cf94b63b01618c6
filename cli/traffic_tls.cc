#include "cli/traffic_tls.h"

#include <array>

#include "cli/traffic_octets.h"

namespace curlew::cli {
namespace {

constexpr uint8_t kClientHello = 1;
constexpr uint8_t kServerHello = 2;
constexpr uint8_t kHelloVerifyRequest = 3;
constexpr uint8_t kCertificate = 11;
constexpr uint8_t kServerHelloDone = 14;
constexpr uint8_t kClientKeyExchange = 16;
constexpr uint16_t kDtls12 = 0xfefd;
constexpr uint16_t kRsaAes128CbcSha256 = 0x003c;
constexpr uint16_t kPskAes128Ccm8 = 0xc0a8;
constexpr size_t kRandomOctets = 32;
constexpr size_t kRsaOctets = 256;
constexpr size_t kCcmOverheadOctets = 16;  // explicit nonce and tag, 8 each

std::string tls_handshake(uint8_t type, std::string_view body) {
    std::string message;
    put8(message, type);
    return message + counted24(body);
}

// A value of X.690: tag, length of definite form, content.
std::string der(uint8_t tag, std::string_view content) {
    std::string value;
    put8(value, tag);
    if (content.size() < 0x80) {
        put8(value, content.size());
    } else if (content.size() <= 0xff) {
        put8(value, 0x81);
        put8(value, content.size());
    } else {
        put8(value, 0x82);
        put16(value, content.size());
    }
    return value.append(content);
}

constexpr uint8_t kDerInteger = 0x02;
constexpr uint8_t kDerBitString = 0x03;
constexpr uint8_t kDerOctetString = 0x04;
constexpr uint8_t kDerNull = 0x05;
constexpr uint8_t kDerObject = 0x06;
constexpr uint8_t kDerUtf8 = 0x0c;
constexpr uint8_t kDerUtcTime = 0x17;
constexpr uint8_t kDerSequence = 0x30;
constexpr uint8_t kDerSet = 0x31;

using namespace std::string_view_literals;

constexpr std::string_view kSha256WithRsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"sv;
constexpr std::string_view kRsaEncryption = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv;
constexpr std::string_view kCommonName = "\x55\x04\x03"sv;
constexpr std::string_view kSubjectAltName = "\x55\x1d\x11"sv;

std::string algorithm(std::string_view object) {
    return der(kDerSequence, der(kDerObject, object) + der(kDerNull, {}));
}

std::string common_name(std::string_view name) {
    const std::string pair = der(kDerSequence, der(kDerObject, kCommonName) + der(kDerUtf8, name));
    return der(kDerSequence, der(kDerSet, pair));
}

// A positive INTEGER of that many octets: its first bit clear, its first octet not zero.
std::string positive(TrafficRandom& random, size_t count) {
    std::string octets = random.octets(count);
    octets[0] = static_cast<char>((static_cast<uint8_t>(octets[0]) & 0x3f) | 0x40);
    return der(kDerInteger, octets);
}

std::string bit_string(std::string_view octets) {
    return der(kDerBitString, std::string(1, '\0').append(octets));
}

// RFC 5280 section 4.1. Key and signature are random: nobody can check it against anything.
std::string certificate(TrafficRandom& random, std::string_view name) {
    const std::string key = positive(random, kRsaOctets) + der(kDerInteger, "\x01\x00\x01"sv);
    const std::string key_info =
        der(kDerSequence, algorithm(kRsaEncryption) + bit_string(der(kDerSequence, key)));
    const std::string names = der(kDerSequence, der(0x82, name));
    const std::string extension =
        der(kDerSequence, der(kDerObject, kSubjectAltName) + der(kDerOctetString, names));
    const std::string validity =
        der(kDerSequence, der(kDerUtcTime, "180601000000Z") + der(kDerUtcTime, "200601000000Z"));
    std::string signed_part = der(0xa0, der(kDerInteger, "\x02"));
    signed_part += positive(random, 16);
    signed_part += algorithm(kSha256WithRsa);
    signed_part += common_name("Example Issuing CA");
    signed_part += validity;
    signed_part += common_name(name);
    signed_part += key_info;
    signed_part += der(0xa3, der(kDerSequence, extension));
    return der(kDerSequence,
               der(kDerSequence, signed_part) + algorithm(kSha256WithRsa) +
                   bit_string(random.octets(kRsaOctets)));
}

}  // namespace

std::string tls_record(uint8_t type, uint16_t version, std::string_view body) {
    std::string record;
    put8(record, type);
    put16(record, version);
    return record + counted16(body);
}

std::string tls_random_record(TrafficRandom& random, uint8_t type, size_t body_octets) {
    return tls_record(type, kTls12, random.octets(body_octets));
}

// RFC 5246 section 7.4.1.2: version, random, session id, cipher suites, compression, extensions.
std::string tls_client_hello(TrafficRandom& random,
                             uint16_t record_version,
                             std::string_view server_name) {
    constexpr std::array<uint16_t, 12> kSuites = {0x0033,
                                                  0x0039,
                                                  0x0067,
                                                  0x006b,
                                                  0xc013,
                                                  0xc014,
                                                  0x002f,
                                                  0x0035,
                                                  kRsaAes128CbcSha256,
                                                  0x003d,
                                                  0x000a,
                                                  0x00ff};
    std::string suites;
    for (const uint16_t suite : kSuites) {
        put16(suites, suite);
    }
    std::string extensions;
    if (!server_name.empty()) {
        const std::string entry = std::string(1, '\0') + counted16(server_name);
        put16(extensions, 0);
        extensions += counted16(counted16(entry));
    }
    put16(extensions, 10);  // groups: secp256r1, secp384r1
    extensions += counted16(counted16("\x00\x17\x00\x18"sv));
    put16(extensions, 11);  // point format: uncompressed
    extensions += counted16(counted8("\x00"sv));
    put16(extensions, 13);  // signatures: RSA and ECDSA with SHA-256, RSA with SHA-1
    extensions += counted16(counted16("\x04\x01\x04\x03\x02\x01"sv));
    std::string hello;
    put16(hello, kTls12);
    hello += random.octets(kRandomOctets);
    hello += counted8({});
    hello += counted16(suites);
    hello += counted8("\x00"sv);
    hello += counted16(extensions);
    return tls_record(kTlsHandshake, record_version, tls_handshake(kClientHello, hello));
}

std::string tls_server_hello(TrafficRandom& random, std::string_view certificate_name) {
    std::string hello;
    put16(hello, kTls12);
    hello += random.octets(kRandomOctets);
    hello += counted8(random.octets(32));
    put16(hello, kRsaAes128CbcSha256);
    put8(hello, 0);
    const std::string chain = counted24(certificate(random, certificate_name));
    return tls_record(kTlsHandshake, kTls12, tls_handshake(kServerHello, hello)) +
           tls_record(kTlsHandshake, kTls12, tls_handshake(kCertificate, counted24(chain))) +
           tls_record(kTlsHandshake, kTls12, tls_handshake(kServerHelloDone, {}));
}

std::string tls_client_finish(TrafficRandom& random) {
    const std::string secret = counted16(random.octets(kRsaOctets));
    return tls_record(kTlsHandshake, kTls12, tls_handshake(kClientKeyExchange, secret)) +
           tls_server_finish(random);
}

std::string tls_server_finish(TrafficRandom& random) {
    constexpr size_t kFinishedOctets = 80;  // IV, message, MAC, padding
    return tls_record(kTlsChangeCipherSpec, kTls12, "\x01"sv) +
           tls_random_record(random, kTlsHandshake, kFinishedOctets);
}

// RFC 6347 section 4.1: as in TLS, with epoch and sequence number before the length.
std::string DtlsEnd::record(uint8_t type, std::string_view body) {
    std::string octets;
    put8(octets, type);
    put16(octets, kDtls12);
    put16(octets, epoch_);
    put16(octets, 0);
    put32(octets, next_record_++);
    return octets + counted16(body);
}

// RFC 6347 section 4.2.2: never in fragments here.
std::string DtlsEnd::handshake(uint8_t type, std::string_view body) {
    std::string message;
    put8(message, type);
    put24(message, body.size());
    put16(message, next_message_++);
    put24(message, 0);
    put24(message, body.size());
    return record(kTlsHandshake, message.append(body));
}

std::string DtlsEnd::sealed(uint8_t type, size_t text_octets) {
    std::string nonce;
    put16(nonce, epoch_);
    put16(nonce, 0);
    put32(nonce, next_record_);
    return record(type, nonce + random_.octets(text_octets + kCcmOverheadOctets - nonce.size()));
}

std::string DtlsEnd::client_hello(std::string_view cookie) {
    if (hello_random_.empty()) {
        hello_random_ = random_.octets(kRandomOctets);
    }
    std::string suites;
    put16(suites, kPskAes128Ccm8);
    std::string hello;
    put16(hello, kDtls12);
    hello += hello_random_;
    hello += counted8({});
    hello += counted8(cookie);
    hello += counted16(suites);
    hello += counted8("\x00"sv);
    return handshake(kClientHello, hello);
}

std::string DtlsEnd::hello_verify_request(std::string_view cookie) {
    std::string request;
    put16(request, kDtls12);
    return handshake(kHelloVerifyRequest, request + counted8(cookie));
}

std::string DtlsEnd::server_hello() {
    std::string hello;
    put16(hello, kDtls12);
    hello += random_.octets(kRandomOctets);
    hello += counted8({});
    put16(hello, kPskAes128Ccm8);
    put8(hello, 0);
    return handshake(kServerHello, hello);
}

std::string DtlsEnd::server_hello_done() {
    return handshake(kServerHelloDone, {});
}

std::string DtlsEnd::client_key_exchange(std::string_view identity) {
    return handshake(kClientKeyExchange, counted16(identity));
}

std::string DtlsEnd::change_cipher_spec() {
    std::string octets = record(kTlsChangeCipherSpec, "\x01"sv);
    ++epoch_;
    next_record_ = 0;
    return octets;
}

std::string DtlsEnd::finished() {
    constexpr size_t kFinishedOctets = 24;
    return sealed(kTlsHandshake, kFinishedOctets);
}

std::string DtlsEnd::application_data(size_t text_octets) {
    return sealed(kTlsApplicationData, text_octets);
}

std::string DtlsEnd::close_notify() {
    return sealed(kTlsAlert, 2);
}

}  // namespace curlew::cli

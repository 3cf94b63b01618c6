#include "probe/protocols/quic_keys.h"

// EVP_DigestInit_ex allocates each time; these functions, which OpenSSL 3 calls deprecated, do not.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <string_view>

namespace curlew::probe {

namespace {

constexpr uint32_t kVersion1 = 1;
constexpr uint32_t kDrafts = 0xff000000;
constexpr uint32_t kMvfst = 0xfaceb000;

using Salt = std::array<uint8_t, 20>;

// RFC 9001 section 5.2, RFC 9369 section 3.3.1, draft-ietf-quic-tls-22, -23 and -29 section 5.2,
// and Google's, as Chromium has them.
constexpr Salt kSalt1{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
constexpr Salt kSalt2{0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};
constexpr Salt kSaltDraft22{0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
                            0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a};
constexpr Salt kSaltDraft23{0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                            0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02};
constexpr Salt kSaltDraft29{0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                            0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99};
constexpr Salt kSaltQ050{0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94,
                         0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45};
constexpr Salt kSaltT050{0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
                         0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10};
constexpr Salt kSaltT051{0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
                         0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d};

const Salt* salt_of(uint32_t version) noexcept {
    if (version == kVersion1) {
        return &kSalt1;
    }
    if (version == kQuicVersion2) {
        return &kSalt2;
    }
    if (version == quic_version_of("Q050")) {
        return &kSaltQ050;
    }
    if (version == quic_version_of("T050")) {
        return &kSaltT050;
    }
    if (version == quic_version_of("T051")) {
        return &kSaltT051;
    }
    // mvfst numbers its versions by itself: 0 and 1 follow draft 22, 2 and 14 draft 27.
    uint32_t draft = 0;
    if ((version & 0xfffffff0) == kMvfst) {
        draft = (version & 0xf) <= 1 ? 22 : 27;
    } else if ((version & 0xffffff00) == kDrafts) {
        draft = version & 0xff;
    }
    if (draft < 22 || draft > 34) {
        return nullptr;
    }
    if (draft == 22) {
        return &kSaltDraft22;
    }
    return draft < 29 ? &kSaltDraft23 : draft < 33 ? &kSaltDraft29 : &kSalt1;
}

using Hash = std::array<uint8_t, SHA256_DIGEST_LENGTH>;

struct ContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// RFC 2104 with SHA-256, for several messages under one key of at most a block.
class Hmac {
  public:
    explicit Hmac(std::span<const uint8_t> key) noexcept {
        assert(key.size() <= SHA256_CBLOCK);
        begin(key, 0x36, inner_);
        begin(key, 0x5c, outer_);
    }

    Hash of(std::span<const uint8_t> message) const noexcept {
        Hash hash;
        finish(inner_, message, hash);
        finish(outer_, hash, hash);
        return hash;
    }

  private:
    static void begin(std::span<const uint8_t> key, uint8_t pad, SHA256_CTX& context) noexcept {
        std::array<uint8_t, SHA256_CBLOCK> block{};
        std::copy(key.begin(), key.end(), block.begin());
        for (uint8_t& octet : block) {
            octet ^= pad;
        }
        SHA256_Init(&context);
        SHA256_Update(&context, block.data(), block.size());
    }

    static void finish(SHA256_CTX context, std::span<const uint8_t> text, Hash& hash) noexcept {
        SHA256_Update(&context, text.data(), text.size());
        SHA256_Final(hash.data(), &context);
    }

    SHA256_CTX inner_;
    SHA256_CTX outer_;
};

// RFC 8446 section 7.1, HKDF-Expand-Label without a context, of at most one hash:
//
//  length 2 | length of the label 1 | "tls13 " label | 0 | 1, the counter of RFC 5869 section 2.3
void expand_label(const Hmac& secret, std::string_view label, std::span<uint8_t> out) noexcept {
    constexpr std::string_view kPrefix = "tls13 ";
    std::array<uint8_t, 40> info{};
    size_t at = 0;
    info[at++] = 0;
    info[at++] = static_cast<uint8_t>(out.size());
    info[at++] = static_cast<uint8_t>(kPrefix.size() + label.size());
    for (const std::string_view text : {kPrefix, label}) {
        std::memcpy(info.data() + at, text.data(), text.size());
        at += text.size();
    }
    info[at++] = 0;
    info[at++] = 1;
    const Hash block = secret.of({info.data(), at});
    std::memcpy(out.data(), block.data(), out.size());
}

}  // namespace

struct QuicCipher::Implementation {
    Implementation() : header(EVP_CIPHER_CTX_new()), text(EVP_CIPHER_CTX_new()) {
        if (header == nullptr || text == nullptr ||
            EVP_EncryptInit_ex(header.get(), EVP_aes_128_ecb(), nullptr, nullptr, nullptr) != 1 ||
            EVP_CIPHER_CTX_set_padding(header.get(), 0) != 1 ||
            EVP_DecryptInit_ex(text.get(), EVP_aes_128_gcm(), nullptr, nullptr, nullptr) != 1) {
            throw std::bad_alloc();
        }
    }

    CipherContext header;
    CipherContext text;
};

QuicCipher::QuicCipher() : implementation_(std::make_unique<Implementation>()) {}
QuicCipher::~QuicCipher() = default;
QuicCipher::QuicCipher(QuicCipher&&) noexcept = default;
QuicCipher& QuicCipher::operator=(QuicCipher&&) noexcept = default;

bool has_quic_keys(uint32_t version) noexcept {
    return salt_of(version) != nullptr;
}

bool derive_quic_keys(const QuicConnection& connection, QuicKeys& keys) noexcept {
    const Salt* salt = salt_of(connection.version);
    if (salt == nullptr) {
        return false;
    }
    const bool second = connection.version == kQuicVersion2;
    const Hash initial = Hmac(*salt).of({connection.id.data(), connection.id_octets});
    Hash secret;
    expand_label(Hmac(initial), "client in", secret);
    const Hmac client(secret);
    expand_label(client, second ? "quicv2 key" : "quic key", keys.key);
    expand_label(client, second ? "quicv2 iv" : "quic iv", keys.iv);
    expand_label(client, second ? "quicv2 hp" : "quic hp", keys.header_key);
    return true;
}

bool QuicCipher::mask_header(const QuicKeys& keys,
                             std::span<const uint8_t, kQuicSampleOctets> sample,
                             QuicSample& mask) noexcept {
    EVP_CIPHER_CTX* context = implementation_->header.get();
    int octets = 0;
    return EVP_EncryptInit_ex(context, nullptr, nullptr, keys.header_key.data(), nullptr) == 1 &&
           EVP_EncryptUpdate(
               context, mask.data(), &octets, sample.data(), static_cast<int>(sample.size())) == 1;
}

bool QuicCipher::open(const QuicKeys& keys,
                      uint64_t packet_number,
                      std::span<const uint8_t> header,
                      std::span<const uint8_t> text,
                      uint8_t* plain) noexcept {
    assert(text.size() >= kQuicTagOctets);
    std::array<uint8_t, 12> nonce = keys.iv;
    for (size_t i = 0; i < 8; ++i) {
        nonce[nonce.size() - 1 - i] ^= static_cast<uint8_t>(packet_number >> (8 * i));
    }
    std::array<uint8_t, kQuicTagOctets> tag;
    const auto sealed = text.first(text.size() - kQuicTagOctets);
    std::memcpy(tag.data(), text.data() + sealed.size(), kQuicTagOctets);
    EVP_CIPHER_CTX* context = implementation_->text.get();
    const auto update = [&](uint8_t* out, std::span<const uint8_t> in) {
        int octets = 0;
        return EVP_DecryptUpdate(context, out, &octets, in.data(), static_cast<int>(in.size())) ==
               1;
    };
    int octets = 0;
    return EVP_DecryptInit_ex(context, nullptr, nullptr, keys.key.data(), nonce.data()) == 1 &&
           update(nullptr, header) && update(plain, sealed) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kQuicTagOctets, tag.data()) == 1 &&
           EVP_DecryptFinal_ex(context, plain + sealed.size(), &octets) == 1;
}

}  // namespace curlew::probe

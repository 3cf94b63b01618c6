#include "probe/protocols/quic_initial.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "probe/protocols/cursor.h"

namespace curlew::probe {

namespace {

constexpr size_t kHashOctets = 32;  // SHA-256
constexpr size_t kTagOctets = 16;
constexpr size_t kSampleOctets = 16;
constexpr size_t kMaximumPackets = 4;  // looked at in one datagram

constexpr uint32_t kVersion1 = 1;
constexpr uint32_t kVersion2 = 0x6b3343cf;
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

constexpr uint32_t version_of(const char (&text)[5]) noexcept {
    return static_cast<uint32_t>(text[0]) << 24 | static_cast<uint32_t>(text[1]) << 16 |
           static_cast<uint32_t>(text[2]) << 8 | static_cast<uint32_t>(text[3]);
}

const Salt* salt_of(uint32_t version) noexcept {
    if (version == kVersion1) {
        return &kSalt1;
    }
    if (version == kVersion2) {
        return &kSalt2;
    }
    if (version == version_of("Q050")) {
        return &kSaltQ050;
    }
    if (version == version_of("T050")) {
        return &kSaltT050;
    }
    if (version == version_of("T051")) {
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

bool is_number(uint8_t digit) noexcept {
    return digit >= '0' && digit <= '9';
}

// Google's versions that are not enciphered at first: Q024 to Q046.
bool is_clear_version(std::span<const uint8_t> version) noexcept {
    if (version[0] != 'Q' || version[1] != '0' || !is_number(version[2]) ||
        !is_number(version[3])) {
        return false;
    }
    const int number = (version[2] - '0') * 10 + version[3] - '0';
    return number >= 24 && number <= 46;
}

bool hmac(std::span<const uint8_t> key,
          std::span<const uint8_t> message,
          std::array<uint8_t, kHashOctets>& out) noexcept {
    unsigned octets = 0;
    return HMAC(EVP_sha256(),
                key.data(),
                static_cast<int>(key.size()),
                message.data(),
                message.size(),
                out.data(),
                &octets) != nullptr;
}

// RFC 8446 section 7.1, HKDF-Expand-Label without a context, of at most one hash:
//
//  length 2 | length of the label 1 | "tls13 " label | 0 | 1, the counter of RFC 5869 section 2.3
bool expand_label(std::span<const uint8_t> secret,
                  std::string_view label,
                  std::span<uint8_t> out) noexcept {
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
    std::array<uint8_t, kHashOctets> block;
    if (!hmac(secret, {info.data(), at}, block)) {
        return false;
    }
    std::memcpy(out.data(), block.data(), out.size());
    return true;
}

struct CipherContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextDeleter>;

// RFC 9001 section 5.4.3: the block cipher over the sample.
bool header_mask(const QuicKeys& keys,
                 std::span<const uint8_t> sample,
                 std::array<uint8_t, kSampleOctets>& mask) noexcept {
    const CipherContext context(EVP_CIPHER_CTX_new());
    int octets = 0;
    return context != nullptr &&
           EVP_EncryptInit_ex(
               context.get(), EVP_aes_128_ecb(), nullptr, keys.header_key.data(), nullptr) == 1 &&
           EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
           EVP_EncryptUpdate(context.get(),
                             mask.data(),
                             &octets,
                             sample.data(),
                             static_cast<int>(sample.size())) == 1;
}

// RFC 9001 section 5.3: AES-128-GCM, the tag behind the text.
bool open_text(const QuicKeys& keys,
               uint64_t packet_number,
               std::span<const uint8_t> header,
               std::span<const uint8_t> text,
               uint8_t* plain) noexcept {
    std::array<uint8_t, 12> nonce = keys.iv;
    for (size_t i = 0; i < 8; ++i) {
        nonce[nonce.size() - 1 - i] ^= static_cast<uint8_t>(packet_number >> (8 * i));
    }
    std::array<uint8_t, kTagOctets> tag;
    const auto sealed = text.first(text.size() - kTagOctets);
    std::memcpy(tag.data(), text.data() + sealed.size(), kTagOctets);
    const CipherContext context(EVP_CIPHER_CTX_new());
    int octets = 0;
    return context != nullptr &&
           EVP_DecryptInit_ex(
               context.get(), EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data()) == 1 &&
           EVP_DecryptUpdate(
               context.get(), nullptr, &octets, header.data(), static_cast<int>(header.size())) ==
               1 &&
           EVP_DecryptUpdate(
               context.get(), plain, &octets, sealed.data(), static_cast<int>(sealed.size())) ==
               1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagOctets, tag.data()) == 1 &&
           EVP_DecryptFinal_ex(context.get(), plain + sealed.size(), &octets) == 1;
}

// RFC 9000 section 16: the two highest bits say how many octets a number has.
uint64_t take_variable(Cursor& cursor) noexcept {
    const uint8_t first = cursor.u8();
    uint64_t value = first & 0x3f;
    for (size_t i = 1; i < size_t{1} << (first >> 6); ++i) {
        value = value << 8 | cursor.u8();
    }
    return value;
}

// RFC 9000 section 17.2.2
//
//  flags 1 | version 4 | destination id 1+n | source id 1+n | token v+n | length v
//  | packet number 1 to 4, hidden | sealed text
struct LongHeader {
    uint8_t flags = 0;
    QuicConnection connection;
    bool initial = false;
    size_t number_at = 0;  // of the packet number
    size_t length = 0;     // from there on
};

bool read_long_header(std::span<const uint8_t> packet, LongHeader& header) noexcept {
    Cursor cursor(packet);
    header.flags = cursor.u8();
    header.connection.version = cursor.u32();
    const auto id = cursor.take_counted(1);
    const auto source = cursor.take_counted(1);
    if (!cursor.ok() || (header.flags & 0x80) == 0 || id.size() > kMaximumQuicIdOctets ||
        source.size() > kMaximumQuicIdOctets || salt_of(header.connection.version) == nullptr) {
        return false;
    }
    header.connection.id_octets = static_cast<uint8_t>(id.size());
    std::copy(id.begin(), id.end(), header.connection.id.begin());
    const unsigned type = header.flags >> 4 & 3;
    header.initial = type == (header.connection.version == kVersion2 ? 1 : 0);
    if (header.initial) {
        const uint64_t token = take_variable(cursor);
        cursor.skip(token > cursor.left() ? cursor.left() + 1 : static_cast<size_t>(token));
    }
    const uint64_t length = take_variable(cursor);
    if (!cursor.ok() || length > cursor.left() || length < 4 + kSampleOctets) {
        return false;
    }
    header.number_at = cursor.position();
    header.length = static_cast<size_t>(length);
    return true;
}

void add_frame(OpenedQuic& opened, uint64_t offset, std::span<const uint8_t> octets) noexcept {
    if (opened.frame_count < kMaximumCryptoFrames && offset <= UINT32_MAX - octets.size()) {
        opened.frames[opened.frame_count++] = {static_cast<uint32_t>(offset), octets};
    }
}

// RFC 9000 section 19.3.
void skip_acknowledgement(Cursor& cursor, bool with_counts) noexcept {
    take_variable(cursor);
    take_variable(cursor);
    const uint64_t ranges = take_variable(cursor);
    take_variable(cursor);
    for (uint64_t i = 0; i < 2 * ranges && cursor.ok(); ++i) {
        take_variable(cursor);
    }
    for (size_t i = 0; i < 3 && with_counts; ++i) {
        take_variable(cursor);
    }
}

// What an Initial packet may hold: RFC 9000 section 12.4. Q050 and T050 call CRYPTO frames 8.
void read_frames(std::span<const uint8_t> plain, uint32_t version, OpenedQuic& opened) noexcept {
    constexpr uint8_t kPadding = 0;
    constexpr uint8_t kPing = 1;
    constexpr uint8_t kAcknowledgement = 2;
    constexpr uint8_t kAcknowledgementCounts = 3;
    const bool google = version == version_of("Q050") || version == version_of("T050");
    const uint8_t crypto = google ? 8 : 6;
    Cursor cursor(plain);
    while (cursor.ok() && cursor.left() > 0) {
        const uint8_t type = cursor.u8();
        if (type == crypto) {
            const uint64_t offset = take_variable(cursor);
            const uint64_t length = take_variable(cursor);
            const auto octets = cursor.take(length > cursor.left() ? cursor.left() + 1
                                                                   : static_cast<size_t>(length));
            if (cursor.ok()) {
                add_frame(opened, offset, octets);
            }
        } else if (type == kAcknowledgement || type == kAcknowledgementCounts) {
            skip_acknowledgement(cursor, type == kAcknowledgementCounts);
        } else if (type != kPadding && type != kPing) {
            return;
        }
    }
}

// Opens one packet with the keys of a connection; its frames are added.
bool open_packet(std::span<const uint8_t> packet,
                 const LongHeader& header,
                 const QuicConnection& connection,
                 OpenedQuic& opened) noexcept {
    const auto text = packet.subspan(header.number_at, header.length);
    QuicKeys keys;
    std::array<uint8_t, kSampleOctets> mask;
    if (header.length > kMaximumQuicOctets - opened.plain_octets ||
        !derive_quic_keys(connection, keys) ||
        !header_mask(keys, text.subspan(4, kSampleOctets), mask)) {
        return false;
    }
    // The header as it was before it was hidden is sealed along.
    std::array<uint8_t, kMaximumQuicOctets> clear;
    const uint8_t flags = static_cast<uint8_t>(packet[0] ^ (mask[0] & 0x0f));
    const size_t number_octets = (flags & 3) + size_t{1};
    const size_t header_octets = header.number_at + number_octets;
    if (header_octets > clear.size() || header.length < number_octets + kTagOctets) {
        return false;
    }
    std::memcpy(clear.data(), packet.data(), header_octets);
    clear[0] = flags;
    uint64_t number = 0;
    for (size_t i = 0; i < number_octets; ++i) {
        clear[header.number_at + i] ^= mask[1 + i];
        number = number << 8 | clear[header.number_at + i];
    }
    const auto sealed = text.subspan(number_octets);
    uint8_t* plain = opened.plain.data() + opened.plain_octets;
    if (!open_text(keys, number, {clear.data(), header_octets}, sealed, plain)) {
        return false;
    }
    const size_t octets = sealed.size() - kTagOctets;
    opened.plain_octets += octets;
    read_frames({plain, octets}, connection.version, opened);
    return true;
}

// Google's first packet in clear, up to Q043:
//
//  flags 1 | connection id 8 | version 4 | packet number 1 to 6 | hash 12 | frames
//
// and in Q044 to Q046:
//
//  flags 1 | version 4 | both lengths of ids 1 | ids | packet number 4 | hash 12 | frames
//
// Before Q034 an octet of private flags stood behind the hash.
bool skip_google_header(Cursor& cursor, QuicConnection& connection) noexcept {
    constexpr size_t kIdOctets = 8;
    constexpr std::array<uint8_t, 4> kNumberOctets{1, 2, 4, 6};
    const uint8_t flags = cursor.u8();
    std::span<const uint8_t> id;
    if ((flags & 0x80) != 0) {
        connection.version = cursor.u32();
        const uint8_t lengths = cursor.u8();
        const size_t destination = lengths >> 4 == 0 ? 0 : (lengths >> 4) + size_t{3};
        const size_t source = (lengths & 0xf) == 0 ? 0 : (lengths & 0xf) + size_t{3};
        id = cursor.take(destination);
        cursor.skip(source + 4);
    } else {
        id = cursor.take(kIdOctets);
        connection.version = cursor.u32();
        cursor.skip(kNumberOctets[flags >> 4 & 3]);
    }
    cursor.skip(12);
    if (connection.version < version_of("Q034")) {
        cursor.skip(1);
    }
    connection.id_octets = static_cast<uint8_t>(id.size());
    std::copy(id.begin(), id.end(), connection.id.begin());
    return cursor.ok();
}

uint64_t google_number(std::span<const uint8_t> octets, bool big_endian) noexcept {
    uint64_t value = 0;
    for (size_t i = 0; i < octets.size(); ++i) {
        value = value << 8 | octets[big_endian ? i : octets.size() - 1 - i];
    }
    return value;
}

// A frame of Google's stream 1, on which hands are shaken:
//
//  1, fin, has length, octets of the offset 3 bits, octets of the id 2 bits | id | offset
//  | length 2 | octets
//
// Numbers were little endian before Q039.
bool open_google(std::span<const uint8_t> datagram, OpenedQuic& opened) noexcept {
    Cursor cursor(datagram);
    if (!skip_google_header(cursor, opened.connection)) {
        return false;
    }
    const uint8_t type = cursor.u8();
    const size_t offset_octets = (type >> 2 & 7) == 0 ? 0 : (type >> 2 & 7) + size_t{1};
    const bool big_endian = opened.connection.version >= version_of("Q039");
    const auto id = cursor.take((type & 3) + size_t{1});
    const uint64_t offset = google_number(cursor.take(offset_octets), big_endian);
    const auto octets =
        cursor.take((type & 0x20) != 0 ? google_number(cursor.take(2), big_endian) : cursor.left());
    const bool handshake = cursor.ok() && (type & 0x80) != 0 &&
                           std::count(id.begin(), id.end(), 1) == 1 &&
                           std::count(id.begin(), id.end(), 0) == static_cast<int>(id.size()) - 1;
    if (!handshake) {
        return false;
    }
    add_frame(opened, offset, octets);
    return true;
}

bool is_google_clear(std::span<const uint8_t> datagram) noexcept {
    constexpr size_t kVersionAt = 9;
    if (datagram.size() < kVersionAt + 4) {
        return false;
    }
    if ((datagram[0] & 0x80) != 0) {
        return is_clear_version(datagram.subspan(1, 4)) && datagram[3] == '4';
    }
    // A version, an id of 8 octets, and no nonce of a server's.
    return (datagram[0] & 0xc9) == 0x09 && is_clear_version(datagram.subspan(kVersionAt, 4));
}

}  // namespace

bool derive_quic_keys(const QuicConnection& connection, QuicKeys& keys) noexcept {
    const Salt* salt = salt_of(connection.version);
    if (salt == nullptr) {
        return false;
    }
    const bool second = connection.version == kVersion2;
    std::array<uint8_t, kHashOctets> initial;
    std::array<uint8_t, kHashOctets> client;
    return hmac(*salt, {connection.id.data(), connection.id_octets}, initial) &&
           expand_label(initial, "client in", client) &&
           expand_label(client, second ? "quicv2 key" : "quic key", keys.key) &&
           expand_label(client, second ? "quicv2 iv" : "quic iv", keys.iv) &&
           expand_label(client, second ? "quicv2 hp" : "quic hp", keys.header_key);
}

bool is_quic_initial(std::span<const uint8_t> datagram) noexcept {
    if (datagram.size() < 32) {
        return false;
    }
    if (is_google_clear(datagram)) {
        return true;
    }
    const uint32_t version = static_cast<uint32_t>(datagram[1]) << 24 |
                             static_cast<uint32_t>(datagram[2]) << 16 |
                             static_cast<uint32_t>(datagram[3]) << 8 | datagram[4];
    const unsigned type = datagram[0] >> 4 & 3;
    return (datagram[0] & 0x80) != 0 && type == (version == kVersion2 ? 1 : 0) &&
           salt_of(version) != nullptr;
}

bool open_quic_initials(std::span<const uint8_t> datagram,
                        const QuicConnection* known,
                        OpenedQuic& opened) noexcept {
    opened.connection = {};
    opened.frame_count = 0;
    opened.plain_octets = 0;
    if (is_google_clear(datagram)) {
        return open_google(datagram, opened);
    }
    bool any = false;
    for (size_t i = 0; i < kMaximumPackets && !datagram.empty(); ++i) {
        LongHeader header;
        if (!read_long_header(datagram, header)) {
            break;
        }
        if (header.initial) {
            const bool same_version =
                known != nullptr && known->version == header.connection.version;
            if (same_version && open_packet(datagram, header, *known, opened)) {
                opened.connection = *known;
                any = true;
            } else if (!(same_version && *known == header.connection) &&
                       open_packet(datagram, header, header.connection, opened)) {
                opened.connection = header.connection;
                any = true;
            } else {
                break;
            }
        }
        datagram = datagram.subspan(header.number_at + header.length);
    }
    return any;
}

}  // namespace curlew::probe

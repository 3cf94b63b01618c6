#include "probe/protocols/quic_initial.h"

#include <algorithm>
#include <cstring>

#include "probe/protocols/cursor.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumPackets = 4;  // looked at in one datagram

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
        source.size() > kMaximumQuicIdOctets || !has_quic_keys(header.connection.version)) {
        return false;
    }
    header.connection.id_octets = static_cast<uint8_t>(id.size());
    std::copy(id.begin(), id.end(), header.connection.id.begin());
    const unsigned type = header.flags >> 4 & 3;
    header.initial = type == (header.connection.version == kQuicVersion2 ? 1 : 0);
    if (header.initial) {
        const uint64_t token = take_variable(cursor);
        cursor.skip(token > cursor.left() ? cursor.left() + 1 : static_cast<size_t>(token));
    }
    const uint64_t length = take_variable(cursor);
    if (!cursor.ok() || length > cursor.left() || length < 4 + kQuicSampleOctets) {
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
    const bool google = version == quic_version_of("Q050") || version == quic_version_of("T050");
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
                 QuicCipher& cipher,
                 OpenedQuic& opened) noexcept {
    const auto text = packet.subspan(header.number_at, header.length);
    QuicKeys keys;
    QuicSample mask;
    if (header.length > kMaximumQuicOctets - opened.plain_octets ||
        !derive_quic_keys(connection, keys) ||
        !cipher.mask_header(keys, text.subspan(4).first<kQuicSampleOctets>(), mask)) {
        return false;
    }
    // The header as it was before it was hidden is sealed along.
    std::array<uint8_t, kMaximumQuicOctets> clear;
    const uint8_t flags = static_cast<uint8_t>(packet[0] ^ (mask[0] & 0x0f));
    const size_t number_octets = (flags & 3) + size_t{1};
    const size_t header_octets = header.number_at + number_octets;
    if (header_octets > clear.size() || header.length < number_octets + kQuicTagOctets) {
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
    if (!cipher.open(keys, number, {clear.data(), header_octets}, sealed, plain)) {
        return false;
    }
    const size_t octets = sealed.size() - kQuicTagOctets;
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
    if (connection.version < quic_version_of("Q034")) {
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
    const bool big_endian = opened.connection.version >= quic_version_of("Q039");
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
    return (datagram[0] & 0x80) != 0 && type == (version == kQuicVersion2 ? 1 : 0) &&
           has_quic_keys(version);
}

bool open_quic_initials(std::span<const uint8_t> datagram,
                        const QuicConnection* known,
                        QuicCipher& cipher,
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
            if (same_version && open_packet(datagram, header, *known, cipher, opened)) {
                opened.connection = *known;
                any = true;
            } else if (!(same_version && *known == header.connection) &&
                       open_packet(datagram, header, header.connection, cipher, opened)) {
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

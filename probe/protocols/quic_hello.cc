#include "probe/protocols/quic_hello.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "probe/protocols/cursor.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumEntries = 512;  // of one message

// Calls `on_connection(QuicConnection)` and `on_crypto(CryptoFrame)` in order.
template <typename OnConnection, typename OnCrypto>
void visit_entries(std::span<const uint8_t> message,
                   OnConnection&& on_connection,
                   OnCrypto&& on_crypto) noexcept {
    Cursor cursor(message);
    while (cursor.ok() && cursor.left() > 0) {
        if (cursor.u8() == static_cast<uint8_t>(QuicEntry::connection)) {
            QuicConnection connection;
            connection.version = cursor.u32();
            const auto id = cursor.take_counted(1);
            if (!cursor.ok() || id.size() > connection.id.size()) {
                return;
            }
            connection.id_octets = static_cast<uint8_t>(id.size());
            std::copy(id.begin(), id.end(), connection.id.begin());
            on_connection(connection);
        } else {
            CryptoFrame frame;
            frame.offset = cursor.u32();
            frame.octets = cursor.take_counted(2);
            if (!cursor.ok()) {
                return;
            }
            on_crypto(frame);
        }
    }
}

bool is_chlo(std::span<const uint8_t> handshake) noexcept {
    return handshake.size() >= 4 && std::memcmp(handshake.data(), "CHLO", 4) == 0;
}

uint32_t little_endian(std::span<const uint8_t> octets) noexcept {
    uint32_t value = 0;
    for (size_t i = octets.size(); i > 0; --i) {
        value = value << 8 | octets[i - 1];
    }
    return value;
}

// Google's message of tags:
//
//  "CHLO" | tags 2 | padding 2 | { tag 4 | end of its value 4 } | values
//
// all numbers little endian, ends counted from the first value on.
struct Chlo {
    std::span<const uint8_t> tags;
    std::span<const uint8_t> values;
    uint32_t octets = 0;  // of the whole message; 0: not known yet
};

Chlo read_chlo(std::span<const uint8_t> handshake) noexcept {
    constexpr size_t kTagOctets = 8;
    Cursor cursor(handshake);
    cursor.skip(4);
    const uint32_t count = little_endian(cursor.take(2));
    cursor.skip(2);
    Chlo chlo;
    chlo.tags = cursor.take(count * kTagOctets);
    if (!cursor.ok() || count == 0) {
        return {};
    }
    chlo.values = cursor.take(cursor.left());
    const uint32_t values = little_endian(chlo.tags.last(4));
    chlo.octets = static_cast<uint32_t>(8 + chlo.tags.size()) + std::min(values, uint32_t{1} << 20);
    return chlo;
}

void find_chlo_server_name(std::span<const uint8_t> handshake, FoundNames& names) noexcept {
    const Chlo chlo = read_chlo(handshake);
    uint32_t begin = 0;
    for (size_t at = 0; at + 8 <= chlo.tags.size(); at += 8) {
        const uint32_t end = little_endian(chlo.tags.subspan(at + 4, 4));
        if (end < begin || end > chlo.values.size()) {
            return;
        }
        if (std::memcmp(chlo.tags.data() + at, "SNI\0", 4) == 0) {
            names.add(NameField::quic_server_name, chlo.values.subspan(begin, end - begin));
            return;
        }
        begin = end;
    }
}

// How long the client's first message is; 0: its beginning is not there.
size_t message_octets(std::span<const uint8_t> handshake) noexcept {
    if (is_chlo(handshake)) {
        return read_chlo(handshake).octets;
    }
    if (handshake.size() < 4) {
        return 0;
    }
    return 4 + (static_cast<size_t>(handshake[1]) << 16 | static_cast<size_t>(handshake[2]) << 8 |
                handshake[3]);
}

}  // namespace

size_t write_quic_connection(const QuicConnection& connection,
                             std::array<uint8_t, kQuicConnectionOctets>& out) noexcept {
    out[0] = static_cast<uint8_t>(QuicEntry::connection);
    for (size_t i = 0; i < 4; ++i) {
        out[1 + i] = static_cast<uint8_t>(connection.version >> (24 - 8 * i));
    }
    out[5] = connection.id_octets;
    std::memcpy(out.data() + 6, connection.id.data(), connection.id_octets);
    return size_t{6} + connection.id_octets;
}

void write_quic_crypto_header(const CryptoFrame& frame,
                              std::array<uint8_t, kQuicCryptoHeaderOctets>& out) noexcept {
    out[0] = static_cast<uint8_t>(QuicEntry::crypto);
    for (size_t i = 0; i < 4; ++i) {
        out[1 + i] = static_cast<uint8_t>(frame.offset >> (24 - 8 * i));
    }
    out[5] = static_cast<uint8_t>(frame.octets.size() >> 8);
    out[6] = static_cast<uint8_t>(frame.octets.size());
}

bool find_quic_connection(std::span<const uint8_t> message, QuicConnection& connection) noexcept {
    bool found = false;
    visit_entries(
        message,
        [&](const QuicConnection& one) {
            connection = one;
            found = true;
        },
        [](const CryptoFrame&) {});
    return found;
}

QuicHandshake join_quic_handshake(std::span<const uint8_t> message,
                                  std::span<uint8_t> room) noexcept {
    std::array<CryptoFrame, kMaximumEntries> frames;
    size_t count = 0;
    uint32_t version = 0;
    visit_entries(
        message,
        [&](const QuicConnection& connection) {
            count = connection.version == version ? count : 0;
            version = connection.version;
        },
        [&](const CryptoFrame& frame) {
            if (count < frames.size()) {
                frames[count++] = frame;
            }
        });
    std::sort(frames.begin(),
              frames.begin() + static_cast<ptrdiff_t>(count),
              [](const CryptoFrame& left, const CryptoFrame& right) {
                  return left.offset < right.offset;
              });
    QuicHandshake handshake;
    for (const CryptoFrame& frame : std::span(frames).first(count)) {
        if (frame.offset > handshake.octets) {
            break;
        }
        const size_t known = handshake.octets - frame.offset;
        if (frame.octets.size() > known) {
            const size_t octets =
                std::min(frame.octets.size() - known, room.size() - handshake.octets);
            std::memcpy(room.data() + handshake.octets, frame.octets.data() + known, octets);
            handshake.octets += octets;
        }
    }
    const size_t wanted = message_octets(room.first(handshake.octets));
    handshake.whole = wanted != 0 && handshake.octets >= wanted;
    return handshake;
}

void find_quic_server_name(std::span<const uint8_t> handshake, FoundNames& names) noexcept {
    if (is_chlo(handshake)) {
        find_chlo_server_name(handshake, names);
    } else {
        find_hello_server_name(handshake, NameField::quic_server_name, names);
    }
}

}  // namespace curlew::probe

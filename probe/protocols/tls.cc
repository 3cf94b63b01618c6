#include "probe/protocols/cursor.h"
#include "probe/protocols/names.h"

namespace curlew::probe {

namespace {

constexpr uint8_t kHandshakeRecord = 22;  // RFC 8446 section 5.1
constexpr uint8_t kClientHello = 1;       // section 4
constexpr uint16_t kServerName = 0;       // section 4.2, RFC 6066 section 3
constexpr uint8_t kHostNameType = 0;
constexpr size_t kMaximumExtensions = 128;

void read_server_name(std::span<const uint8_t> extension,
                      NameField field,
                      FoundNames& names) noexcept {
    Cursor list(extension);
    Cursor entry(list.take_counted(2));
    const uint8_t type = entry.u8();
    const auto host = entry.take_counted(2);
    if (entry.ok() && type == kHostNameType) {
        names.add(field, host);
    }
}

}  // namespace

//  handshake   type 1 | length 3
//  ClientHello version 2 | random 32 | session id 1+n | cipher suites 2+n | compression 1+n
//              | extensions 2+n of { type 2 | 2+n }
bool find_hello_server_name(std::span<const uint8_t> handshake,
                            NameField field,
                            FoundNames& names) noexcept {
    Cursor cursor(handshake);
    if (cursor.u8() != kClientHello) {
        return true;
    }
    // The handshake's own length may reach past this packet; what is here is read.
    cursor.skip(3 + 2 + 32);
    cursor.take_counted(1);
    cursor.take_counted(2);
    cursor.take_counted(1);
    if (cursor.ok() && cursor.left() == 0) {
        return true;  // no extensions, allowed before TLS 1.3
    }
    cursor.u16();
    for (size_t i = 0; i < kMaximumExtensions && cursor.ok() && cursor.left() > 0; ++i) {
        const uint16_t type = cursor.u16();
        const auto extension = cursor.take_counted(2);
        if (cursor.ok() && type == kServerName) {
            read_server_name(extension, field, names);
            return true;
        }
    }
    return cursor.ok();
}

//  record      type 1 | version 2 | length 2
bool find_tls_server_name(std::span<const uint8_t> payload, FoundNames& names) noexcept {
    constexpr size_t kRecordHeaderOctets = 5;
    if (payload.size() < kRecordHeaderOctets || payload[0] != kHandshakeRecord || payload[1] != 3) {
        return true;
    }
    return find_hello_server_name(
        payload.subspan(kRecordHeaderOctets), NameField::tls_server_name, names);
}

}  // namespace curlew::probe

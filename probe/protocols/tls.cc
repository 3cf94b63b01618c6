#include "probe/protocols/cursor.h"
#include "probe/protocols/names.h"

namespace curlew::probe {

namespace {

constexpr uint8_t kHandshakeRecord = 22;  // RFC 8446 section 5.1
constexpr uint8_t kClientHello = 1;       // section 4
constexpr uint16_t kServerName = 0;       // section 4.2, RFC 6066 section 3
constexpr uint8_t kHostNameType = 0;
constexpr size_t kMaximumExtensions = 128;
constexpr size_t kMaximumServerNames = 8;
constexpr size_t kTlsHeaderOctets = 5;

void read_server_name(std::span<const uint8_t> extension,
                      NameField field,
                      FoundNames& names) noexcept {
    Cursor list(extension);
    Cursor entries(list.take_counted(2));
    for (size_t i = 0; i < kMaximumServerNames && entries.ok() && entries.left() > 0; ++i) {
        const uint8_t type = entries.u8();
        const auto host = entries.take_counted(2);
        // What is longer is the name of no host (RFC 1035 section 2.3.4).
        if (entries.ok() && type == kHostNameType && host.size() <= kMaximumNameOctets) {
            names.add(field, host);
            return;
        }
    }
}

//  version 2 | random 32 | session id 1+n | DTLS: cookie 1+n | cipher suites 2+n
//  | compression 1+n | extensions 2+n of { type 2 | 2+n }
bool read_hello(Cursor cursor, bool has_cookie, NameField field, FoundNames& names) noexcept {
    cursor.skip(2 + 32);
    cursor.take_counted(1);
    if (has_cookie) {
        cursor.take_counted(1);
    }
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

// The fragments of the handshake records that the octets begin with, one after the other, as far as
// there is room.
class JoinedRecords {
  public:
    explicit JoinedRecords(std::span<const uint8_t> records) noexcept {
        while (records.size() > kTlsHeaderOctets && records[0] == kHandshakeRecord &&
               size_ < octets_.size()) {
            const size_t length = static_cast<size_t>(records[3]) << 8 | records[4];
            records = records.subspan(kTlsHeaderOctets);
            const size_t part = std::min({length, records.size(), octets_.size() - size_});
            std::memcpy(octets_.data() + size_, records.data(), part);
            size_ += part;
            records = records.subspan(std::min(length, records.size()));
        }
    }

    std::span<const uint8_t> handshake() const noexcept { return {octets_.data(), size_}; }

  private:
    std::array<uint8_t, 4096> octets_;
    size_t size_ = 0;
};

}  // namespace

//  handshake   type 1 | length 3
bool find_hello_server_name(std::span<const uint8_t> handshake,
                            NameField field,
                            FoundNames& names) noexcept {
    Cursor cursor(handshake);
    if (cursor.u8() != kClientHello) {
        return true;
    }
    // The handshake's own length may reach past this packet; what is here is read.
    cursor.skip(3);
    return read_hello(cursor, false, field, names);
}

//  record      type 1 | version 2 | length 2
bool find_tls_server_name(std::span<const uint8_t> payload, FoundNames& names) noexcept {
    if (payload.size() <= kTlsHeaderOctets || payload[0] != kHandshakeRecord || payload[1] != 3 ||
        payload[kTlsHeaderOctets] != kClientHello) {
        return true;
    }
    const auto behind = payload.subspan(kTlsHeaderOctets);
    const size_t length = static_cast<size_t>(payload[3]) << 8 | payload[4];
    if (length >= behind.size()) {
        return find_hello_server_name(behind, NameField::tls_server_name, names);
    }
    // It may go on in the next record (RFC 8446 section 5.1).
    const JoinedRecords joined(payload);
    return find_hello_server_name(joined.handshake(), NameField::tls_server_name, names);
}

//  record      type 1 | version 2 | epoch 2 | sequence 6 | length 2   (RFC 6347 section 4.1)
//  handshake   type 1 | length 3 | sequence 2 | fragment offset 3 | fragment length 3  (4.2.2)
bool find_dtls_server_name(std::span<const uint8_t> payload, FoundNames& names) noexcept {
    constexpr uint8_t kMajor = 0xfe;
    Cursor record(payload);
    if (record.u8() != kHandshakeRecord || record.u8() != kMajor) {
        return true;
    }
    record.skip(1);
    const bool is_in_the_clear = record.u16() == 0;
    record.skip(6);
    const size_t length = record.u16();
    // As much as was captured.
    Cursor handshake(record.take(std::min(length, record.left())));
    if (!is_in_the_clear || handshake.u8() != kClientHello) {
        return true;
    }
    handshake.skip(3 + 2);
    const size_t offset = static_cast<size_t>(handshake.u8()) << 16 | handshake.u16();
    handshake.skip(3);
    return offset != 0 || read_hello(handshake, true, NameField::tls_server_name, names);
}

}  // namespace curlew::probe

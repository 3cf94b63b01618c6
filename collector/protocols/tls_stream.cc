#include "collector/protocols/tls_stream.h"

#include <algorithm>

#include "collector/protocols/cursor.h"

namespace curlew::collector {
namespace {

constexpr uint8_t kChangeCipherSpec = 20;  // RFC 8446 section 5.1
constexpr uint8_t kAlert = 21;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kApplicationData = 23;
constexpr uint8_t kHeartbeat = 24;           // RFC 6520
constexpr size_t kMaximumFragment = 18'432;  // 2^14 + 2048, RFC 5246 section 6.2.3
constexpr size_t kMessageHeaderOctets = 4;
constexpr size_t kMaximumMessages = 64;
constexpr size_t kMaximumAlerts = 8;

struct Record {
    uint8_t type = 0;
    uint16_t version = 0;
    size_t length = 0;
    std::string_view fragment;  // shorter than `length` at the end of the stream
};

bool is_record(const Record& record) {
    return record.type >= kChangeCipherSpec && record.type <= kHeartbeat &&
           record.version >> 8 == 3 && record.length <= kMaximumFragment;
}

//  record   type 1 | version 2 | length 2 | fragment
//
// False when not even the header is there.
bool take_record(Cursor& cursor, Record& record) {
    record.type = cursor.u8();
    record.version = cursor.u16();
    record.length = cursor.u16();
    if (!cursor.ok()) {
        return false;
    }
    record.fragment = cursor.take(std::min(record.length, cursor.left()));
    return true;
}

// RFC 5246 appendix E.2
//
//  length 2, highest bit set | type 1: 1 | version 2 | octets of cipher specs 2 | of session id 2
//  | of challenge 2 | cipher specs, 3 octets each | session id | challenge
//
// The body from the version on, or nothing when one length does not fit the others.
std::string_view find_version2_hello(std::string_view stream) {
    constexpr size_t kFixedOctets = 9;
    Cursor cursor(stream);
    const size_t header = cursor.u16();
    const size_t length = header & 0x7fff;
    const uint8_t type = cursor.u8();
    const uint16_t version = cursor.u16();
    const size_t specs = cursor.u16();
    const size_t session_id = cursor.u16();
    const size_t challenge = cursor.u16();
    if (!cursor.ok() || (header & 0x8000) == 0 || type != kTlsClientHello ||
        (version != 2 && version >> 8 != 3) || specs == 0 || specs % 3 != 0 || challenge < 16 ||
        challenge > 32 || length != kFixedOctets + specs + session_id + challenge) {
        return {};
    }
    return stream.substr(3, length - 1);
}

TlsMessage take_message(Cursor& cursor) {
    TlsMessage message;
    message.type = cursor.u8();
    const size_t length = cursor.u24();
    message.whole = length <= cursor.left();
    message.body = cursor.take(std::min(length, cursor.left()));
    return message;
}

}  // namespace

TlsStream::TlsStream(std::string_view stream) {
    version2_hello_ = find_version2_hello(stream);
    if (!version2_hello_.empty()) {
        stream.remove_prefix(std::min(stream.size(), version2_hello_.size() + 3));
    }
    read_records(stream);
    split_messages();
}

void TlsStream::read_records(std::string_view stream) {
    Cursor cursor(stream);
    bool changed = false;
    bool first = true;  // behind an SSLv2 hello anything may come
    Record record;
    while (take_record(cursor, record)) {
        if (!is_record(record)) {
            malformed_ = malformed_ || (!first && !changed);
            return;
        }
        first = false;
        const bool whole = record.fragment.size() == record.length;
        if (record.type == kHandshake) {
            malformed_ = malformed_ || record.length == 0;
            (changed ? after_change_ : handshake_).append(record.fragment);
        } else if (record.type == kAlert && !changed) {
            read_alert(record.fragment, whole);
        } else if (record.type == kChangeCipherSpec) {
            malformed_ = malformed_ || record.length != 1;
            changed = true;
            went_on_ = true;
        } else if (record.type == kApplicationData) {
            went_on_ = true;
            return;
        }
    }
}

// RFC 8446 section 6: two octets. What is longer is encrypted.
void TlsStream::read_alert(std::string_view fragment, bool whole) {
    if (fragment.size() == 2 && whole) {
        if (alerts_.size() < kMaximumAlerts) {
            alerts_.push_back(
                {static_cast<uint8_t>(fragment[0]), static_cast<uint8_t>(fragment[1])});
        }
    } else if (whole && fragment.size() < 2) {
        malformed_ = true;
    }
}

// RFC 8446 section 4
//
//  type 1 | length 3 | body
void TlsStream::split_messages() {
    Cursor cursor(handshake_);
    while (cursor.left() >= kMessageHeaderOctets && messages_.size() < kMaximumMessages) {
        messages_.push_back(take_message(cursor));
    }
    const bool rest = cursor.left() > 0 && messages_.size() < kMaximumMessages;
    const bool cut = !messages_.empty() && !messages_.back().whole;
    malformed_ = malformed_ || (went_on_ && (rest || cut));
}

TlsMessage TlsStream::message_after_change() const noexcept {
    Cursor cursor(after_change_);
    if (cursor.left() < kMessageHeaderOctets) {
        return {};
    }
    return take_message(cursor);
}

}  // namespace curlew::collector

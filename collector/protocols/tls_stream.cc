#include "collector/protocols/tls_stream.h"

#include <algorithm>

#include "collector/protocols/cursor.h"

namespace curlew::collector {
namespace {

constexpr uint8_t kHeartbeat = 24;           // RFC 6520
constexpr size_t kMaximumFragment = 18'432;  // 2^14 + 2048, RFC 5246 section 6.2.3
constexpr size_t kMessageHeaderOctets = 4;

struct Record {
    uint8_t type = 0;
    uint16_t version = 0;
    size_t length = 0;
    std::string_view fragment;  // shorter than `length` at the end of the stream
};

bool is_record(const Record& record) {
    return record.type >= kTlsChangeCipherSpecRecord && record.type <= kHeartbeat &&
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
    clear_.version2_hello = find_version2_hello(stream);
    if (!clear_.version2_hello.empty()) {
        stream.remove_prefix(std::min(stream.size(), clear_.version2_hello.size() + 3));
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
            clear_.malformed = clear_.malformed || (!first && !changed);
            return;
        }
        first = false;
        const bool whole = record.fragment.size() == record.length;
        if (record.type == kTlsHandshakeRecord) {
            clear_.malformed = clear_.malformed || record.length == 0;
            (changed ? after_change_ : handshake_).append(record.fragment);
        } else if (record.type == kTlsAlertRecord && !changed && whole) {
            clear_.add_alert(record.fragment);
        } else if (record.type == kTlsChangeCipherSpecRecord) {
            clear_.malformed = clear_.malformed || record.length != 1;
            changed = true;
            went_on_ = true;
        } else if (record.type == kTlsApplicationDataRecord) {
            went_on_ = true;
            return;
        }
    }
}

// RFC 8446 section 4
//
//  type 1 | length 3 | body
void TlsStream::split_messages() {
    Cursor cursor(handshake_);
    while (cursor.left() >= kMessageHeaderOctets && clear_.messages.size() < kMaximumTlsMessages) {
        clear_.messages.push_back(take_message(cursor));
    }
    if (Cursor behind(after_change_); behind.left() >= kMessageHeaderOctets) {
        clear_.after_change = take_message(behind);
    }
    const bool rest = cursor.left() > 0 && clear_.messages.size() < kMaximumTlsMessages;
    const bool cut = !clear_.messages.empty() && !clear_.messages.back().whole;
    clear_.malformed = clear_.malformed || (went_on_ && (rest || cut));
}

}  // namespace curlew::collector

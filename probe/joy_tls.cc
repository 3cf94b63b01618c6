#include "probe/joy_tls.h"

namespace curlew::probe {
namespace {

constexpr size_t kHandshakeOctets = 11'000;
constexpr int kStoredRecords = 100;
constexpr size_t kRecordHeaderOctets = 5;

constexpr uint8_t kChangeCipherSpec = 20;
constexpr uint8_t kAlert = 21;
constexpr uint8_t kApplicationData = 23;

// RFC 5246 section 6.2.1. What a packet is too short for counts as zeros.
//
//   +------+---------+---------+
//   | type | version | length  |
//   |  1   |    2    |    2    |
//   +------+---------+---------+
struct RecordHeader {
    uint8_t content_type;
    uint16_t version;
    uint16_t length;

    bool ends_handshake() const {
        return content_type == kChangeCipherSpec || content_type == kAlert ||
               content_type == kApplicationData;
    }
};

RecordHeader header_at(std::span<const uint8_t> payload, size_t at) {
    const auto octet = [&](size_t index) -> uint32_t {
        return index < payload.size() ? payload[index] : 0;
    };
    const auto two = [&](size_t index) {
        return static_cast<uint16_t>(octet(index) << 8 | octet(index + 1));
    };
    return {static_cast<uint8_t>(octet(at)), two(at + 1), two(at + 3)};
}

}  // namespace

void JoyTlsSide::add(std::span<const uint8_t> payload, uint64_t time_us) {
    if (payload.empty() || !collect(payload)) {
        return;
    }
    if (rest_of_record_ > payload.size()) {
        rest_of_record_ = static_cast<uint16_t>(rest_of_record_ - payload.size());
        return;
    }
    const size_t at = rest_of_record_;
    rest_of_record_ = 0;
    walk(payload, at, time_us);
}

// False when the packet does not fit: Joy then does not look into it at all.
bool JoyTlsSide::collect(std::span<const uint8_t> payload) {
    if (tls_.has_ending_version() || header_at(payload, 0).ends_handshake()) {
        return true;
    }
    if (payload.size() >= kHandshakeOctets - tls_.handshake().size()) {
        return false;
    }
    tls_.mutable_handshake()->append(reinterpret_cast<const char*>(payload.data()), payload.size());
    return true;
}

void JoyTlsSide::walk(std::span<const uint8_t> payload, size_t at, uint64_t time_us) {
    while (at < payload.size()) {
        const RecordHeader header = header_at(payload, at);
        const size_t left = payload.size() - at;
        // Joy forgets the header here: a record whose last octets alone are in the next packet
        // counts as whole.
        if (header.length > left) {
            rest_of_record_ = static_cast<uint16_t>(header.length + kRecordHeaderOctets - left);
        }
        if (!tls_.handshake().empty() && !tls_.has_ending_version() && header.ends_handshake()) {
            tls_.set_ending_version(header.version);
        }
        count_record(header.content_type, header.length, time_us);
        at += header.length + kRecordHeaderOctets;
    }
}

void JoyTlsSide::count_record(uint8_t content_type, uint16_t length, uint64_t time_us) {
    if (record_count_ < kStoredRecords) {
        proto::JoyTlsRecord* record = record_count_ < tls_.records_size()
                                          ? tls_.mutable_records(record_count_)
                                          : tls_.add_records();
        record->set_content_type(content_type);
        record->set_length_octets(length);
        record->set_time_us(time_us);
    }
    ++record_count_;
}

void JoyTlsSide::fill(proto::JoyTls& tls) const {
    tls = tls_;
    if (!tls.has_ending_version()) {
        tls.clear_handshake();  // Joy does not look into it
    }
    while (tls.records_size() > record_count_) {
        tls.mutable_records()->RemoveLast();  // the count has wrapped
    }
}

}  // namespace curlew::probe

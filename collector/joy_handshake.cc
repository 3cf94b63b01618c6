#include "collector/joy_handshake.h"

#include <algorithm>
#include <utility>

#include "collector/joy_text.h"

namespace curlew::collector {
namespace {

constexpr size_t kHandshakeOctets = 11'000;
constexpr int kRecordHeaderOctets = 5;
constexpr int kJoyMessageHeaderOctets = 4;
constexpr size_t kMaximumSuites = 256;
constexpr size_t kJoyExtensions = 256;
constexpr size_t kPrintedOctets = 1024;  // more is printed as nothing
constexpr uint16_t kLongestServerExtension = 256;
constexpr uint32_t kLongestKeyExchange = 1024;
constexpr size_t kJoyCertificates = 4;
constexpr size_t kRandomAt = 2;
constexpr size_t kSessionAt = 34;  // behind version and random

constexpr uint8_t kVersion13 = 6;

enum : uint8_t {
    kClientHello = 1,
    kServerHello = 2,
    kCertificate = 11,
    kClientKeyExchange = 16,
};

// Change cipher spec, alert, application data.
bool is_no_handshake(uint8_t content_type) {
    return content_type >= 20 && content_type <= 23 && content_type != 22;
}

bool is_known_message(uint8_t type) {
    return type <= 4 || (type >= 11 && type <= 16) || (type >= 20 && type <= 23);
}

class HandshakeReader {
  public:
    explicit HandshakeReader(std::string_view octets)
        : octets_(octets), left_(static_cast<int>(octets.size())) {}

    JoyHandshake read();

  private:
    bool read_record();
    bool read_message(int& record_left);
    bool read_version(size_t at);
    void client_suites(size_t at, int length);
    void client_extensions(size_t at, int length);
    void server_suite(size_t at, int length);
    void server_extensions(size_t at, int length);
    void server_name(size_t at);
    void certificates(size_t at, int length);

    PaddedOctets octets_;
    size_t at_ = 0;
    int left_;
    size_t records_ = 0;
    JoyHandshake side_;
};

JoyHandshake HandshakeReader::read() {
    while (left_ > 0 && read_record()) {
        ++records_;
    }
    return std::move(side_);
}

// RFC 5246 section 6.2.1: type, version (2), length (2).
bool HandshakeReader::read_record() {
    int record_left = octets_.two(at_ + 3);
    if (left_ < kRecordHeaderOctets || record_left > left_) {
        return false;
    }
    const bool skipped = is_no_handshake(octets_[at_]);
    at_ += kRecordHeaderOctets;
    left_ -= kRecordHeaderOctets;
    if (skipped) {
        at_ += static_cast<size_t>(record_left);
        left_ -= record_left;
        return true;
    }
    if (left_ <= 0) {
        return false;
    }
    while (record_left > 0) {
        if (!read_message(record_left)) {
            return false;
        }
    }
    return true;
}

// RFC 5246 section 7.4: type, length (3). A message without a body that ends the octets is not
// noted.
bool HandshakeReader::read_message(int& record_left) {
    const uint8_t type = octets_[at_];
    const int length = static_cast<int>(octets_.four(at_) & 0xff'ffff);
    if (left_ < kJoyMessageHeaderOctets || !is_known_message(type) || length > record_left) {
        return false;
    }
    at_ += kJoyMessageHeaderOctets;
    left_ -= kJoyMessageHeaderOctets;
    if (left_ <= 0) {
        return false;
    }
    if (type == kClientHello || type == kServerHello) {
        if (side_.version == 0 && !read_version(at_)) {
            return false;
        }
        side_.role = type == kClientHello ? JoyRole::client : JoyRole::server;
        if (type == kClientHello) {
            client_suites(at_, length);
            client_extensions(at_, length);
        } else {
            server_suite(at_, length);
            server_extensions(at_, length);
        }
    } else if (type == kClientKeyExchange && side_.client_key_exchange.empty() &&
               static_cast<uint32_t>(length) <= kLongestKeyExchange) {
        side_.client_key_exchange = octets_.copy(at_, static_cast<size_t>(length));
    } else if (type == kCertificate) {
        certificates(at_, length);
    }
    if (records_ < side_.messages.size() && side_.messages[records_].size() < kJoyNotedMessages) {
        side_.messages[records_].push_back({type, static_cast<uint16_t>(length)});
    }
    at_ += static_cast<size_t>(length);
    left_ -= length;
    record_left -= length + kJoyMessageHeaderOctets;
    return true;
}

bool HandshakeReader::read_version(size_t at) {
    side_.version = joy_tls_version(octets_.two(at));
    return side_.version != 0;
}

// RFC 5246 section 7.4.1.2: version (2), random (32), session id with length (1), suites with
// length (2), compression methods with length (1), extensions with length (2). Joy forgets the
// first 34 octets when it compares the lengths before the suites.
void HandshakeReader::client_suites(size_t at, int length) {
    if (!side_.cipher_suites.empty()) {
        return;
    }
    std::ranges::copy(octets_.copy(at + kRandomAt, side_.random.size()), side_.random.begin());
    const size_t session = octets_[at + kSessionAt];
    length -= static_cast<int>(session) + 3;
    if (length < 0) {
        return;
    }
    at += kSessionAt + 1;
    if (session != 0) {
        side_.session_id = octets_.copy(at, session);
    }
    at += session;
    const uint16_t suites = octets_.two(at);
    if (length < suites) {
        return;
    }
    const size_t count = std::min<size_t>(suites / 2, kMaximumSuites);
    for (size_t i = 0; i < count; ++i) {
        side_.cipher_suites.push_back(octets_.two(at + 2 + 2 * i));
    }
}

void HandshakeReader::client_extensions(size_t at, int length) {
    if (!side_.client_extensions.empty()) {
        return;
    }
    const size_t session = octets_[at + kSessionAt];
    length -= static_cast<int>(kSessionAt + session) + 3;
    at += kSessionAt + 1 + session;
    const uint16_t suites = octets_.two(at);
    if (length < 0 || length < suites) {
        return;
    }
    at += size_t{2} + suites;
    const uint8_t methods = octets_[at];
    at += size_t{1} + methods;
    length -= 2 + suites + 1 + methods;
    if (length < 2 || length < octets_.two(at)) {
        return;
    }
    at += 2;
    length -= 2;
    while (length > 0 && side_.client_extensions.size() < kJoyExtensions) {
        const uint16_t type = octets_.two(at);
        const uint16_t octets = octets_.two(at + 2);
        if (type == 0) {
            server_name(at);
        }
        side_.client_extensions.push_back(
            {type, octets <= kPrintedOctets ? octets_.copy(at + 4, octets) : std::string()});
        at += size_t{4} + octets;
        length -= 4 + octets;
    }
}

// RFC 6066 section 3: extension type and length (4), list length (2), name type (1), name length
// (2), name. The length alone decides, and 65535 makes it 0.
void HandshakeReader::server_name(size_t at) {
    const uint16_t length = octets_.two(at + 7);
    side_.has_server_name = length != 0xffff;
    side_.server_name = octets_.copy(at + 9, std::min<size_t>(length, kHandshakeOctets));
    side_.server_name.resize(std::min(side_.server_name.size(), side_.server_name.find('\0')));
}

void HandshakeReader::server_suite(size_t at, int length) {
    if (!side_.cipher_suites.empty()) {
        return;
    }
    std::ranges::copy(octets_.copy(at + kRandomAt, side_.random.size()), side_.random.begin());
    at += kSessionAt;
    if (side_.version != kVersion13) {
        const size_t session = octets_[at];
        if (static_cast<int>(session) + 3 > length) {
            return;
        }
        if (session != 0) {
            side_.session_id = octets_.copy(at + 1, session);
        }
        at += 1 + session;
    }
    side_.cipher_suites.push_back(octets_.two(at));
}

// As a client's, with one suite and one method, and neither session nor method in TLS 1.3's drafts.
void HandshakeReader::server_extensions(size_t at, int length) {
    if (!side_.server_extensions.empty()) {
        return;
    }
    const bool has_session = side_.version != kVersion13;
    const size_t begin = at;
    at += kSessionAt;
    at += has_session ? size_t{1} + octets_[at] : 0;
    at += 2;
    at += has_session ? size_t{1} + octets_[at] : 0;
    length -= static_cast<int>(at - begin);
    if (length < 2 || length < octets_.two(at)) {
        return;
    }
    at += 2;
    length -= 2;
    while (length > 0 && side_.server_extensions.size() < kJoyExtensions) {
        const uint16_t octets = octets_.two(at + 2);
        if (octets > kLongestServerExtension) {
            return;
        }
        side_.server_extensions.push_back({octets_.two(at), octets_.copy(at + 4, octets)});
        at += size_t{4} + octets;
        length -= 4 + octets;
    }
}

// RFC 5246 section 7.4.2: a list with length (3), of certificates with length (3) each. Joy reads
// two octets of each length.
void HandshakeReader::certificates(size_t at, int length) {
    const uint16_t total = octets_.two(at + 1);
    if (total > length) {
        return;
    }
    at += 3;
    int left = total;
    while (left > 0 && side_.certificates.size() < kJoyCertificates) {
        const uint16_t octets = octets_.two(at + 1);
        if (octets == 0 || octets > left) {
            return;
        }
        at += 3;
        side_.certificates.push_back(octets_.copy(at, octets));
        at += octets;
        left -= 3 + octets;
    }
}

}  // namespace

uint8_t joy_tls_version(uint16_t version) noexcept {
    constexpr uint16_t kFirst = 0x0300;
    constexpr uint16_t kLast = 0x0304;
    constexpr uint16_t kDraft = 0x7f12;
    if (version == kDraft) {
        return kVersion13;
    }
    return version >= kFirst && version <= kLast ? static_cast<uint8_t>(version - kFirst + 2) : 0;
}

JoyHandshake read_joy_handshake(std::string_view octets) {
    return HandshakeReader(octets.substr(0, kHandshakeOctets)).read();
}

}  // namespace curlew::collector

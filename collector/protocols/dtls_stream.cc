#include "collector/protocols/dtls_stream.h"

#include <algorithm>
#include <tuple>

#include "collector/protocols/cursor.h"

namespace curlew::collector {
namespace {

constexpr size_t kMaximumFragments = 1024;

bool is_clear_record(uint8_t type, uint16_t version, uint16_t epoch) {
    return type >= kTlsChangeCipherSpecRecord && type <= kTlsApplicationDataRecord &&
           version >> 8 == 0xfe && epoch == 0;
}

}  // namespace

DtlsStream::DtlsStream(const std::vector<std::string_view>& datagrams) {
    clear_.form = TlsForm::dtls;
    for (const std::string_view datagram : datagrams) {
        read_datagram(datagram);
    }
    join_fragments();
}

// RFC 6347 section 4.1
//
//  type 1 | version 2 | epoch 2 | sequence 6 | length 2 | fragment
//
// Everything from the first encrypted record on is passed over. A datagram may be cut.
void DtlsStream::read_datagram(std::string_view datagram) {
    Cursor cursor(datagram);
    while (cursor.left() > 0) {
        const uint8_t type = cursor.u8();
        const uint16_t version = cursor.u16();
        const uint16_t epoch = cursor.u16();
        cursor.skip(6);
        const std::string_view content = cursor.take_counted(2);
        if (!cursor.ok() || !is_clear_record(type, version, epoch)) {
            return;
        }
        if (type == kTlsHandshakeRecord) {
            read_handshake(content);
        } else if (type == kTlsAlertRecord) {
            clear_.add_alert(content);
        }
    }
}

// RFC 6347 section 4.2.2
//
//  type 1 | length 3 | sequence 2 | offset of the fragment 3 | its length 3 | fragment
void DtlsStream::read_handshake(std::string_view content) {
    Cursor cursor(content);
    while (cursor.left() > 0 && fragments_.size() < kMaximumFragments) {
        Fragment fragment;
        fragment.type = cursor.u8();
        fragment.length = cursor.u24();
        fragment.sequence = cursor.u16();
        fragment.offset = cursor.u24();
        fragment.octets = cursor.take_counted(3);
        if (!cursor.ok() || fragment.offset + fragment.octets.size() > fragment.length) {
            clear_.malformed = true;
            return;
        }
        if (fragment.type != kDtlsHelloVerifyRequest) {
            fragments_.push_back(fragment);
        }
    }
}

void DtlsStream::join_fragments() {
    const auto place = [](const Fragment& one) {
        return std::tuple(one.sequence, one.type, one.length);
    };
    std::stable_sort(
        fragments_.begin(), fragments_.end(), [&](const Fragment& left, const Fragment& right) {
            return std::tuple(place(left), left.offset) < std::tuple(place(right), right.offset);
        });
    for (size_t i = 0; i < fragments_.size() && bodies_.size() < kMaximumTlsMessages;) {
        const Fragment& first = fragments_[i];
        std::string& body = bodies_.emplace_back();
        for (; i < fragments_.size() && place(fragments_[i]) == place(first); ++i) {
            const Fragment& one = fragments_[i];
            if (one.offset <= body.size() && one.offset + one.octets.size() > body.size()) {
                body.append(one.octets.substr(body.size() - one.offset));
            }
        }
        clear_.messages.push_back({first.type, body.size() == first.length, body});
    }
}

}  // namespace curlew::collector

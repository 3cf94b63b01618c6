#include "probe/protocols/cursor.h"
#include "probe/protocols/names.h"

namespace curlew::probe {

namespace {

//  RFC 1035 section 4.1.1
//  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//  |                      ID                       |
//  |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
//  |                    QDCOUNT                    |
//  |                    ANCOUNT                    |
//  |                    NSCOUNT                    |
//  |                    ARCOUNT                    |
//  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
constexpr size_t kHeaderOctets = 12;
constexpr size_t kMaximumQuestions = 32;
constexpr size_t kMaximumAnswers = 64;
// A pointer must point backwards, and a name ends at its longest: both bound the work, and so does
// this.
constexpr size_t kMaximumPointers = 32;

struct Name {
    std::array<uint8_t, kMaximumNameOctets> text;
    size_t octets = 0;
};

bool append_label(Name& name, std::span<const uint8_t> label) noexcept {
    const size_t dot = name.octets == 0 ? 0 : 1;
    if (name.octets + dot + label.size() > name.text.size()) {
        return false;
    }
    if (dot != 0) {
        name.text[name.octets++] = '.';
    }
    std::memcpy(name.text.data() + name.octets, label.data(), label.size());
    name.octets += label.size();
    return true;
}

// Reads the name at `at`, follows compression (RFC 1035 section 4.1.4), and moves `at` behind it.
bool read_name(std::span<const uint8_t> message, size_t& at, Name& name) noexcept {
    size_t position = at;
    size_t pointers = 0;
    name.octets = 0;
    while (true) {
        if (position >= message.size()) {
            return false;
        }
        const uint8_t length = message[position];
        if ((length & 0xc0) == 0xc0) {
            if (position + 1 >= message.size() || ++pointers > kMaximumPointers) {
                return false;
            }
            const size_t target = (static_cast<size_t>(length & 0x3f) << 8) | message[position + 1];
            if (pointers == 1) {
                at = position + 2;
            }
            if (target >= position) {
                return false;
            }
            position = target;
            continue;
        }
        if ((length & 0xc0) != 0) {
            return false;
        }
        ++position;
        if (length == 0) {
            if (pointers == 0) {
                at = position;
            }
            return true;
        }
        if (length > message.size() - position ||
            !append_label(name, message.subspan(position, length))) {
            return false;
        }
        position += length;
    }
}

}  // namespace

bool find_dns_names(std::span<const uint8_t> message, bool multicast, FoundNames& names) noexcept {
    Cursor header(message);
    header.skip(4);
    const size_t questions = header.u16();
    const size_t answers = header.u16();
    // Many are asked at once in multicast alone (RFC 6762 section 5.3).
    if (!header.ok() || message.size() < kHeaderOctets ||
        (questions > kMaximumQuestions && !multicast)) {
        return false;
    }
    size_t at = kHeaderOctets;
    Name name;
    for (size_t i = 0; i < questions && i < kMaximumQuestions; ++i) {
        if (!read_name(message, at, name) || message.size() - at < 4) {
            return false;
        }
        at += 4;  // QTYPE, QCLASS
        names.add(multicast ? NameField::mdns_question : NameField::dns_question,
                  {name.text.data(), name.octets});
    }
    if (!multicast || questions > kMaximumQuestions) {
        return true;
    }
    for (size_t i = 0; i < answers && i < kMaximumAnswers; ++i) {
        if (!read_name(message, at, name)) {
            return false;
        }
        Cursor record(message.subspan(at));
        record.skip(8);  // TYPE, CLASS, TTL
        record.take_counted(2);
        if (!record.ok()) {
            return false;
        }
        at += record.position();
        names.add(NameField::mdns_answer, {name.text.data(), name.octets});
    }
    return true;
}

}  // namespace curlew::probe

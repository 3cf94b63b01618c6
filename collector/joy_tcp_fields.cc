#include "collector/joy_tcp_fields.h"

#include <fmt/compile.h>

#include <algorithm>
#include <string_view>

namespace curlew::collector {
namespace {

constexpr size_t kKeptOptionOctets = 24;
constexpr uint32_t kSyn = 2;
constexpr uint32_t kAck = 16;

constexpr uint8_t kEndOfOptions = 0;
constexpr uint8_t kNoOperation = 1;
constexpr uint8_t kMaximumSegmentSize = 2;
constexpr uint8_t kWindowScale = 3;
constexpr uint8_t kSackPermitted = 4;
constexpr uint8_t kTimestamps = 8;

std::string letters_of(uint32_t flags) {
    static constexpr std::string_view kLetters = "FSRPAUEC";
    std::string letters;
    for (size_t bit = 0; bit < kLetters.size(); ++bit) {
        if ((flags >> bit & 1) != 0) {
            letters.push_back(kLetters[bit]);
        }
    }
    return letters;
}

uint64_t number_at(std::string_view octets, size_t at, size_t count) {
    uint64_t number = 0;
    for (const char octet : octets.substr(at, count)) {
        number = number << 8 | static_cast<uint8_t>(octet);
    }
    return number;
}

void write_malformed(JsonLine& json, uint8_t kind, std::string_view data) {
    json.key("malformed");
    json.start_object();
    json.number("kind", kind);
    json.hex("data", data);
    json.number("len", data.size());
    json.end_object();
}

void write_timestamps(JsonLine& json, std::string_view data) {
    json.key("ts");
    json.start_object();
    json.number("val", number_at(data, 0, 4));
    json.number("ecr", number_at(data, 4, 4));
    json.end_object();
}

// One option with the length it should have.
void write_option(JsonLine& json, uint8_t kind, std::string_view data) {
    const auto write_if = [&](size_t octets, auto write) {
        if (data.size() == octets) {
            write();
        } else {
            write_malformed(json, kind, data);
        }
    };
    switch (kind) {
        case kMaximumSegmentSize:
            write_if(2, [&] { json.number("mss", number_at(data, 0, 2)); });
            break;
        case kWindowScale:
            write_if(1, [&] { json.number("ws", number_at(data, 0, 1)); });
            break;
        case kSackPermitted:
            json.null("sackp");
            break;
        case kTimestamps:
            write_if(8, [&] { write_timestamps(json, data); });
            break;
        default:
            json.number("kind", kind);
            json.hex("data", data);
            break;
    }
}

// RFC 9293 section 3.1. A length past the octets kept ends the list. So does a length of 1, of
// which Joy makes data of almost 2^32 octets.
void write_options(JsonLine& json, std::string_view options) {
    json.key("opts");
    json.start_array();
    while (!options.empty() && static_cast<uint8_t>(options[0]) != kEndOfOptions) {
        const auto kind = static_cast<uint8_t>(options[0]);
        size_t length = 1;
        if (kind != kNoOperation) {
            if (options.size() < 2) {
                break;
            }
            length = static_cast<uint8_t>(options[1]);
        }
        json.start_object();
        if (kind == kNoOperation) {
            json.null("noop");
        } else if (length < 2 || length > options.size()) {
            json.key("malformed");
            json.start_object();
            json.number("kind", kind);
            json.number("len", length);
            json.end_object();
            length = options.size();
        } else {
            write_option(json, kind, options.substr(2, length - 2));
        }
        json.end_object();
        options.remove_prefix(length);
    }
    json.end_array();
}

void write_start(JsonLine& json, std::string_view name, const proto::JoyTcpStart& start) {
    json.key(name);
    json.start_object();
    json.text("flags", letters_of(start.flags()));
    if (start.window_size() != 0) {
        json.number("first_window_size", start.window_size());
    }
    if (!start.options().empty()) {
        json.number("opt_len", start.options().size());
        write_options(json, start.options());
    }
    json.end_object();
}

// A signed number, which JsonLine does not know.
void write_signed(JsonLine& json, std::string_view name, int64_t value) {
    json.key(name);
    json.raw(fmt::format(FMT_COMPILE("{}"), value));
}

// Joy's own picture of one direction while it prints: who spoke first without a SYN is the client.
enum class Role : uint8_t { unknown, client, server };

struct Speaker {
    const proto::JoySegments& list;
    int next = 0;
    std::string_view options;
    uint32_t sequence = 0;  // the highest
    Role role = Role::unknown;

    explicit Speaker(const proto::JoySegments& segments)
        : list(segments), options(segments.options()) {}
    bool done() const { return next == list.time_us_size(); }
    uint64_t time_us() const { return list.time_us(next); }
};

struct Relative {
    int64_t sequence = 0;
    int64_t acknowledgement = 0;
};

// A difference of numbers, not of serial numbers; the highest is told by serial arithmetic.
Relative follow(Speaker& speaker, const Speaker& other) {
    const uint32_t sequence = speaker.list.sequence_number(speaker.next);
    const uint32_t flags = speaker.list.flags(speaker.next);
    Relative relative;
    if ((flags & kSyn) != 0) {
        speaker.sequence = sequence;
    } else {
        relative.sequence = int64_t{sequence} - speaker.sequence;
        if (static_cast<int32_t>(sequence - speaker.sequence) > 0) {
            speaker.sequence = sequence;
        }
    }
    if ((flags & kAck) != 0) {
        relative.acknowledgement =
            int64_t{speaker.list.acknowledgement_number(speaker.next)} - other.sequence;
    }
    if (speaker.role == Role::unknown) {
        const bool first = other.role == Role::unknown;
        speaker.role = other.role == Role::client ? Role::server : Role::client;
        speaker.sequence = sequence;
        relative.sequence = 0;
        relative.acknowledgement = first ? 0 : relative.acknowledgement;
    }
    return relative;
}

void write_segment(JsonLine& json, Speaker& speaker, const Speaker& other, uint64_t start_us) {
    const int at = speaker.next;
    const Relative relative = follow(speaker, other);
    const uint32_t option_octets = speaker.list.option_octets(at);
    const size_t kept = std::min<size_t>(option_octets, kKeptOptionOctets);
    json.start_object();
    json.number("seq", speaker.list.sequence_number(at));
    json.number("ack", speaker.list.acknowledgement_number(at));
    write_signed(json, "rseq", relative.sequence);
    write_signed(json, "rack", relative.acknowledgement);
    json.number("b", speaker.list.payload_octets(at));
    json.number("olen", option_octets);
    json.text("dir", speaker.role == Role::server ? "<" : ">");
    json.number("t", joy_milliseconds(start_us, speaker.list.time_us(at)));
    json.text("flags", letters_of(speaker.list.flags(at)));
    write_options(json, speaker.options.substr(0, kept));
    json.end_object();
    speaker.options.remove_prefix(kept);
    ++speaker.next;
}

}  // namespace

uint32_t joy_milliseconds(uint64_t from_us, uint64_t to_us) noexcept {
    constexpr uint64_t kMicroseconds = 1000;
    if (to_us >= from_us) {
        return static_cast<uint32_t>((to_us - from_us) / kMicroseconds);
    }
    return static_cast<uint32_t>(0 - (from_us - to_us + kMicroseconds - 1) / kMicroseconds);
}

void write_joy_tcp(JsonLine& json, const proto::JoyRecord& record) {
    const proto::JoySide& out = record.record();
    const proto::JoySide& in = record.twin();
    if (!out.has_tcp_start() && !in.has_tcp_start()) {
        return;
    }
    json.key("tcp");
    json.start_object();
    const uint32_t first = out.tcp_start().sequence_number() != 0
                               ? out.tcp_start().sequence_number()
                               : in.tcp_start().sequence_number();
    if (first != 0) {
        json.number("first_seq", first);
    }
    if (out.has_tcp_start()) {
        write_start(json, "out", out.tcp_start());
    }
    if (in.has_tcp_start()) {
        write_start(json, "in", in.tcp_start());
    }
    json.end_object();
}

void write_joy_segments(JsonLine& json, const proto::JoyRecord& record) {
    Speaker out(record.record().segments());
    Speaker in(record.twin().segments());
    // Of two sides Joy prints both or none.
    if (out.done() || (record.has_twin() && in.done())) {
        return;
    }
    const uint64_t start_us = in.done() ? out.time_us() : std::min(out.time_us(), in.time_us());
    json.key("ppi");
    json.start_array();
    while (!out.done() || !in.done()) {
        // Of equal times the twin's first.
        const bool takes_out = in.done() || (!out.done() && out.time_us() < in.time_us());
        write_segment(json, takes_out ? out : in, takes_out ? in : out, start_us);
    }
    json.end_array();
}

}  // namespace curlew::collector

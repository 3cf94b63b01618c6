#include "collector/protocols/quic.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "collector/protocols/cursor.h"
#include "collector/protocols/tls.h"
#include "collector/protocols/tls_hello.h"
#include "collector/protocols/wire_member.h"

namespace curlew::collector {
namespace {

constexpr size_t kMaximumFrames = 1024;

struct Frame {
    uint32_t offset = 0;
    std::string_view octets;
};

// The last version that the client tried, and what belongs to it.
struct QuicClient {
    bool found = false;
    uint32_t version = 0;
    std::string handshake;  // without gaps from its beginning
    bool malformed = false;
};

// Entries: connection 0 | version 4 | id 1+n, or crypto 1 | offset 4 | octets 2+n.
std::vector<Frame> read_entries(std::string_view message, QuicClient& client) {
    std::vector<Frame> frames;
    Cursor cursor(message);
    while (cursor.left() > 0) {
        const uint8_t type = cursor.u8();
        if (type == 0) {
            const uint32_t version = cursor.u32();
            cursor.take_counted(1);
            if (cursor.ok()) {
                if (client.found && version != client.version) {
                    frames.clear();
                }
                client.found = true;
                client.version = version;
            }
        } else {
            Frame frame;
            frame.offset = cursor.u32();
            frame.octets = cursor.take_counted(2);
            if (cursor.ok() && type == 1 && frames.size() < kMaximumFrames) {
                frames.push_back(frame);
            }
        }
        client.malformed = client.malformed || type > 1;
    }
    client.malformed = client.malformed || !cursor.ok();
    return frames;
}

QuicClient read_client(std::string_view message) {
    QuicClient client;
    std::vector<Frame> frames = read_entries(message, client);
    std::stable_sort(frames.begin(), frames.end(), [](const Frame& left, const Frame& right) {
        return left.offset < right.offset;
    });
    for (const Frame& frame : frames) {
        const size_t have = client.handshake.size();
        if (frame.offset > have) {
            break;
        }
        if (frame.octets.size() > have - frame.offset) {
            client.handshake.append(frame.octets.substr(have - frame.offset));
        }
    }
    return client;
}

// "1", "2", "draft-29", Google's "Q043" and "T051"; eight hex digits for others.
std::string quic_version_name(uint32_t version) {
    if (version == 1) {
        return "1";
    }
    if (version == 0x6b3343cf) {
        return "2";
    }
    if (version >> 8 == 0xff0000) {
        return fmt::format("draft-{}", version & 0xff);
    }
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        text.push_back(static_cast<char>(version >> shift & 0xff));
    }
    const bool google = (text[0] == 'Q' || text[0] == 'T') &&
                        std::all_of(text.begin() + 1, text.end(), [](char letter) {
                            return letter >= '0' && letter <= '9';
                        });
    return google ? text : fmt::format("{:08x}", version);
}

uint32_t little_endian(std::string_view octets) {
    uint32_t value = 0;
    for (size_t i = octets.size(); i > 0; --i) {
        value = value << 8 | static_cast<uint8_t>(octets[i - 1]);
    }
    return value;
}

// What is written of a handshake.
struct HandshakeVerdict {
    bool malformed = false;
    bool cut = false;
};

//  "CHLO" | tags 2 | padding 2 | { tag 4 | end of its value 4 } | values
//
// Numbers are little endian; ends count from the first value on.
HandshakeVerdict write_chlo(JsonLine& json, std::string_view message) {
    constexpr size_t kTagOctets = 8;
    constexpr std::string_view kServerName("SNI\0", 4);
    constexpr std::string_view kUserAgent("UAID", 4);
    Cursor cursor(message);
    cursor.skip(4);
    const uint32_t count = little_endian(cursor.take(2));
    cursor.skip(2);
    const std::string_view tags = cursor.take(count * kTagOctets);
    if (!cursor.ok()) {
        return {false, true};
    }
    const std::string_view values = cursor.rest();
    uint32_t begin = 0;
    bool has_name = false;
    bool has_agent = false;
    for (size_t at = 0; at < tags.size(); at += kTagOctets) {
        const std::string_view tag = tags.substr(at, 4);
        const uint32_t end = little_endian(tags.substr(at + 4, 4));
        if (end < begin) {
            return {true, false};
        }
        if (end > values.size()) {
            return {false, true};
        }
        const std::string_view value = values.substr(begin, end - begin);
        if (tag == kServerName && !has_name && !value.empty()) {
            write_wire_text(json, "sni", value);
            has_name = true;
        } else if (tag == kUserAgent && !has_agent && !value.empty()) {
            write_wire_text(json, "user_agent", value);
            has_agent = true;
        }
        begin = end;
    }
    return {};
}

HandshakeVerdict write_hello(JsonLine& json, std::string_view handshake) {
    Cursor cursor(handshake);
    const uint8_t type = cursor.u8();
    const size_t length = cursor.u24();
    if (!cursor.ok()) {
        return {false, true};
    }
    if (type != kTlsClientHello) {
        return {true, false};
    }
    const bool whole = length <= cursor.left();
    const ClientHello hello =
        read_client_hello(cursor.take(std::min(length, cursor.left())), whole, TlsForm::quic);
    write_client_members(json, hello, TlsForm::quic);
    return {hello.malformed, !whole};
}

}  // namespace

bool write_quic(JsonLine& json, std::string_view message) {
    const QuicClient client = read_client(message);
    if (!client.found) {
        return true;
    }
    json.key("quic");
    json.start_object();
    json.text("version", quic_version_name(client.version));
    const HandshakeVerdict verdict = client.handshake.starts_with("CHLO")
                                         ? write_chlo(json, client.handshake)
                                         : write_hello(json, client.handshake);
    const bool malformed = verdict.malformed || client.malformed;
    if (malformed) {
        write_mark(json, "malformed");
    }
    if (verdict.cut) {
        write_mark(json, "cut");
    }
    json.end_object();
    return !malformed;
}

}  // namespace curlew::collector

// Hot path.
#include "probe/message_fronts.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "probe/protocols/names.h"
#include "probe/protocols/quic_initial.h"

namespace curlew::probe {

namespace {

constexpr uint16_t kMulticastDnsPort = 5353;
constexpr uint16_t kLinkLocalDnsPort = 5355;
constexpr uint16_t kDhcpServerPort = 67;
constexpr uint16_t kDhcpClientPort = 68;
constexpr uint16_t kNtpPort = 123;
constexpr uint16_t kSsdpPort = 1900;

// RFC 9110 section 9, RFC 4918 section 9, RFC 3253, RFC 5323, UPnP Device Architecture 1.1, and
// what else tools and remote procedures over HTTP use.
constexpr std::string_view kMethods[] = {
    "GET",        "POST",        "HEAD",      "PUT",      "DELETE",      "OPTIONS",
    "CONNECT",    "TRACE",       "PATCH",     "PROPFIND", "PROPPATCH",   "MKCOL",
    "COPY",       "MOVE",        "LOCK",      "UNLOCK",   "REPORT",      "SEARCH",
    "SUBSCRIBE",  "UNSUBSCRIBE", "NOTIFY",    "M-SEARCH", "POLL",        "BCOPY",
    "BMOVE",      "BDELETE",     "BPROPFIND", "CHECKOUT", "CHECKIN",     "MERGE",
    "MKACTIVITY", "RPC_CONNECT", "BITS_POST", "CCM_POST", "RPC_IN_DATA", "RPC_OUT_DATA",
};
constexpr std::string_view kResponse = "HTTP/1.";

std::string_view text_of(std::span<const uint8_t> octets) noexcept {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// `text` against `token` and what has to stand behind it, as far as there is text.
FrontMatch match_token(std::string_view text, std::string_view token, char behind) noexcept {
    const size_t common = std::min(text.size(), token.size());
    if (text.substr(0, common) != token.substr(0, common)) {
        return FrontMatch::no;
    }
    if (text.size() <= token.size()) {
        return behind == 0 && text.size() == token.size() ? FrontMatch::yes : FrontMatch::maybe;
    }
    return behind == 0 || text[token.size()] == behind ? FrontMatch::yes : FrontMatch::no;
}

// A request line says its version before it ends, or there is none: HTTP/0.9 has a path and nothing
// else. One that goes on in the next segment is so far a path or a URL, and a part of the version.
bool has_request_line(std::string_view text, size_t target_at) noexcept {
    constexpr std::string_view kVersion = " HTTP/1.";
    const size_t end = text.find('\n');
    if (text.substr(0, end).find(kVersion) != std::string_view::npos) {
        return true;
    }
    const std::string_view line = text.substr(target_at, end - target_at);
    const size_t target_end = line.find_first_of(" \r");
    const std::string_view target = line.substr(0, target_end);
    const std::string_view behind = line.substr(target.size());
    const bool is_target = (target.starts_with('/') ||
                            (end == std::string_view::npos && target.starts_with("http"))) &&
                           std::none_of(target.begin(), target.end(), [](char letter) {
                               return letter < ' ' || letter == 0x7f;
                           });
    if (end == std::string_view::npos) {
        return is_target && kVersion.starts_with(behind);
    }
    // Nothing but an empty line can follow.
    const std::string_view rest = text.substr(end + 1);
    return is_target && text.starts_with("GET ") && (behind.empty() || behind == "\r") &&
           (rest.empty() || rest == "\r\n" || rest == "\n");
}

FrontMatch http_front(std::string_view text, bool expected) noexcept {
    if (text.empty() || text.front() < 'A' || text.front() > 'Z') {
        return FrontMatch::no;
    }
    const FrontMatch response = match_token(text, kResponse, 0);
    if (response != FrontMatch::no) {
        return response;
    }
    FrontMatch best = FrontMatch::no;
    for (const std::string_view method : kMethods) {
        const FrontMatch match = match_token(text, method, ' ');
        if (match == FrontMatch::yes) {
            if (!expected && text.size() == method.size() + 1) {
                return FrontMatch::maybe;
            }
            return expected || has_request_line(text, method.size() + 1) ? FrontMatch::yes
                                                                         : FrontMatch::no;
        }
        best = match == FrontMatch::no ? best : match;
    }
    return best;
}

// Each octet against a lowest and a highest value, as far as there are octets.
struct Range {
    uint8_t low;
    uint8_t high;
};

template <size_t kCount>
FrontMatch match_ranges(std::span<const uint8_t> octets, const Range (&ranges)[kCount]) noexcept {
    static_assert(kCount <= kFrontOctets);
    for (size_t i = 0; i < kCount; ++i) {
        if (i == octets.size()) {
            return FrontMatch::maybe;
        }
        if (octets[i] < ranges[i].low || octets[i] > ranges[i].high) {
            return FrontMatch::no;
        }
    }
    return FrontMatch::yes;
}

// RFC 8446 section 5.1: type, version 3.x, length. A hello: also its own type, length and version.
FrontMatch tls_front(std::span<const uint8_t> octets, bool expected) noexcept {
    constexpr Range kHello[] = {
        {22, 22}, {3, 3}, {0, 4}, {0, 64}, {0, 255}, {1, 2}, {0, 0}, {0, 255}, {0, 255}, {3, 127}};
    // Its first record holds one octet of it, or two: some cut it so that nobody shall read it.
    constexpr Range kHelloByOne[] = {
        {22, 22}, {3, 3}, {0, 4}, {0, 0}, {1, 1}, {1, 2}, {22, 22}, {3, 3}, {0, 4}, {0, 64}};
    constexpr Range kHelloByTwo[] = {
        {22, 22}, {3, 3}, {0, 4}, {0, 0}, {2, 2}, {1, 2}, {0, 0}, {22, 22}, {3, 3}, {0, 4}};
    constexpr Range kRecord[] = {{20, 22}, {3, 3}, {0, 4}, {0, 64}};
    // RFC 5246 appendix E.2.
    constexpr Range kOldHello[] = {{0x80, 0x83}, {0, 255}, {1, 1}, {3, 3}, {0, 3}};
    if (!expected) {
        return std::max({match_ranges(octets, kHello),
                         match_ranges(octets, kHelloByOne),
                         match_ranges(octets, kHelloByTwo)});
    }
    const FrontMatch record = match_ranges(octets, kRecord);
    return record != FrontMatch::no ? record : match_ranges(octets, kOldHello);
}

// RFC 1002 section 4.3.1 before MS-SMB section 2.2.3.1 or MS-SMB2 section 2.2.1.
FrontMatch smb_front(std::span<const uint8_t> octets) noexcept {
    constexpr Range kMessage[] = {
        {0, 0}, {0, 255}, {0, 255}, {0, 255}, {0xfc, 0xff}, {'S', 'S'}, {'M', 'M'}, {'B', 'B'}};
    return match_ranges(octets, kMessage);
}

// RFC 9113 sections 3.4, 4.1 and 6.5: a client's preface, or the settings that a server sends
// first: length 3, a multiple of 6 | type 4 | acknowledged or not | stream 0.
FrontMatch http2_front(std::span<const uint8_t> octets) noexcept {
    constexpr Range kSettings[] = {
        {0, 0}, {0, 0}, {0, 255}, {4, 4}, {0, 1}, {0, 0}, {0, 0}, {0, 0}, {0, 0}};
    constexpr size_t kLengthAt = 2;
    constexpr uint8_t kSettingOctets = 6;
    const FrontMatch preface = match_token(text_of(octets), "PRI * HTTP/2.0\r\n", 0);
    if (preface != FrontMatch::no) {
        return preface;
    }
    if (octets.size() > kLengthAt && octets[kLengthAt] % kSettingOctets != 0) {
        return FrontMatch::no;
    }
    return match_ranges(octets, kSettings);
}

// A name without pointers (RFC 1035 section 3.1), as far as it was captured.
bool is_first_name(std::span<const uint8_t> name) noexcept {
    constexpr size_t kLongestName = 255;
    size_t at = 0;
    while (at < name.size() && at < kLongestName) {
        if (name[at] == 0) {
            return true;
        }
        if (name[at] > 63) {
            // A pointer cannot stand in the first name of a message; beside a server's own error.
            return false;
        }
        at += name[at] + size_t{1};
    }
    return at >= name.size();
}

bool is_dns(std::span<const uint8_t> payload) noexcept {
    return payload.size() >= kDnsHeaderOctets && is_dns_header(payload) &&
           is_first_name(payload.subspan(kDnsHeaderOctets));
}

// RFC 2131 section 2: operation, and the cookie before the options.
bool is_dhcp(std::span<const uint8_t> payload) noexcept {
    constexpr size_t kCookieAt = 236;
    constexpr std::string_view kCookie = "\x63\x82\x53\x63";
    return payload.size() >= kCookieAt + kCookie.size() && (payload[0] == 1 || payload[0] == 2) &&
           text_of(payload).substr(kCookieAt, kCookie.size()) == kCookie;
}

bool is_ssdp(std::span<const uint8_t> payload) noexcept {
    const std::string_view text = text_of(payload);
    return text.starts_with("NOTIFY ") || text.starts_with("M-SEARCH ") ||
           text.starts_with(kResponse);
}

// RFC 5905 section 7.3: version, mode and length. Control and private messages (modes 6 and 7, RFC
// 9327) are shorter.
bool is_ntp(std::span<const uint8_t> payload) noexcept {
    constexpr size_t kPacketOctets = 48;
    constexpr size_t kShortOctets = 8;
    const uint8_t version = payload.empty() ? 0 : payload[0] >> 3 & 7;
    const uint8_t mode = payload.empty() ? 0 : payload[0] & 7;
    return version >= 1 && version <= 4 &&
           payload.size() >= (mode >= 6 ? kShortOctets : kPacketOctets);
}

// RFC 6347 section 4.1: type, version, epoch. Of the first epoch, before anything is enciphered.
bool is_dtls(std::span<const uint8_t> payload) noexcept {
    constexpr Range kRecord[] = {{20, 22}, {1, 254}, {0, 255}, {0, 0}, {0, 0}};
    return match_ranges(payload, kRecord) == FrontMatch::yes;
}

// The same of a flow that nothing says speaks DTLS, as behind STUN: a handshake message of DTLS 1.0
// to 1.3 (section 4.2.2).
bool is_dtls_handshake(std::span<const uint8_t> payload) noexcept {
    constexpr Range kHandshake[] = {{22, 22},
                                    {0xfe, 0xfe},
                                    {0xfc, 0xff},
                                    {0, 0},
                                    {0, 0},
                                    {0, 255},
                                    {0, 255},
                                    {0, 255},
                                    {0, 255},
                                    {0, 255},
                                    {0, 255},
                                    {0, 64},
                                    {0, 255},
                                    {1, 25}};
    return match_ranges(payload, kHandshake) == FrontMatch::yes;
}

bool has_port(const FlowKey& key, uint16_t port) noexcept {
    return key.low_port == port || key.high_port == port;
}

MessageKind dns_by_port(const FlowKey& key) noexcept {
    if (has_port(key, kDnsPort)) {
        return MessageKind::dns;
    }
    if (has_port(key, kMulticastDnsPort)) {
        return MessageKind::mdns;
    }
    return has_port(key, kLinkLocalDnsPort) ? MessageKind::llmnr : MessageKind::none;
}

MessageKind kind_by_port(const FlowKey& key) noexcept {
    const MessageKind dns = dns_by_port(key);
    if (dns != MessageKind::none) {
        return dns;
    }
    if (has_port(key, kDhcpServerPort) || has_port(key, kDhcpClientPort)) {
        return MessageKind::dhcp;
    }
    if (has_port(key, kNtpPort)) {
        return MessageKind::ntp;
    }
    return has_port(key, kSsdpPort) ? MessageKind::ssdp : MessageKind::none;
}

}  // namespace

MessageKind message_kind_of(const char* protocol) noexcept {
    constexpr std::pair<std::string_view, MessageKind> kKinds[] = {
        {"dns", MessageKind::dns},
        {"mdns", MessageKind::mdns},
        {"llmnr", MessageKind::llmnr},
        {"ssdp", MessageKind::ssdp},
        {"http", MessageKind::http},
        {"dhcp", MessageKind::dhcp},
        {"ntp", MessageKind::ntp},
        {"tls", MessageKind::tls},
        {"ssh", MessageKind::ssh},
        {"smb", MessageKind::smb},
        {"dtls", MessageKind::dtls},
        {"quic", MessageKind::quic},
    };
    for (const auto& [name, kind] : kKinds) {
        if (name == protocol) {
            return kind;
        }
    }
    return MessageKind::none;
}

bool is_dns_header(std::span<const uint8_t> octets) noexcept {
    constexpr unsigned kMostQuestions = 64;
    const auto count = [octets](size_t at) {
        return static_cast<unsigned>(octets[at] << 8 | octets[at + 1]);
    };
    const unsigned questions = count(4);
    const unsigned records = count(6) + count(8) + count(10);
    return questions <= kMostQuestions && records < 0x4000 && questions + records > 0;
}

MessageKind dns_kind(const FlowKey& key, MessageKind hint) noexcept {
    const MessageKind by_port = dns_by_port(key);
    switch (hint) {
        case MessageKind::none:
            return by_port;
        case MessageKind::dns:
            // Its form is theirs too, but multicast DNS has no streams.
            return by_port == MessageKind::none ||
                           (by_port == MessageKind::mdns && key.protocol == kProtocolTcp)
                       ? hint
                       : by_port;
        case MessageKind::mdns:
        case MessageKind::llmnr:
            return hint;
        default:
            return MessageKind::none;
    }
}

bool is_multicast_dns(const FlowKey& key,
                      MessageKind hint,
                      std::span<const uint8_t> datagram) noexcept {
    constexpr uint8_t kRecursionDesired = 0x01;
    constexpr uint8_t kAvailableOrAuthentic = 0xa0;
    const bool is_of_unicast =
        datagram.size() >= 4 && (datagram[0] | datagram[1]) != 0 &&
        ((datagram[2] & kRecursionDesired) != 0 || (datagram[3] & kAvailableOrAuthentic) != 0);
    return dns_kind(key, hint) == MessageKind::mdns &&
           (hint == MessageKind::mdns || !is_of_unicast);
}

MessageKind datagram_kind(const ParsedPacket& packet, MessageKind hint) noexcept {
    const std::span<const uint8_t> payload(packet.payload, packet.payload_captured_octets);
    if (packet.key.protocol == kProtocolIgmp) {
        return payload.size() >= 8 ? MessageKind::igmp : MessageKind::none;
    }
    const MessageKind by_port = kind_by_port(packet.key);
    MessageKind kind = hint == MessageKind::none ? by_port : hint;
    if (hint == MessageKind::dns) {
        kind = dns_kind(packet.key, hint);
    }
    if (kind == MessageKind::mdns && !is_multicast_dns(packet.key, hint, payload)) {
        kind = MessageKind::dns;
    }
    switch (kind) {
        case MessageKind::dns:
        case MessageKind::mdns:
        case MessageKind::llmnr:
            // Where DNS is spoken, what is not its form is malformed and not something else.
            return (hint == MessageKind::dns && !payload.empty()) || is_dns(payload)
                       ? kind
                       : MessageKind::none;
        case MessageKind::dhcp:
            return is_dhcp(payload) ? kind : MessageKind::none;
        case MessageKind::ssdp:
            return is_ssdp(payload) ? kind : MessageKind::none;
        case MessageKind::ntp:
            return is_ntp(payload) ? kind : MessageKind::none;
        case MessageKind::dtls:
            return is_dtls(payload) ? kind : MessageKind::none;
        default:
            if (is_quic_initial(payload)) {
                return MessageKind::quic;
            }
            return is_dtls_handshake(payload) ? MessageKind::dtls : MessageKind::none;
    }
}

StreamFront stream_front(std::span<const uint8_t> payload, MessageKind hint) noexcept {
    const std::span octets = behind_empty_lines(behind_proxy_header(payload));
    const size_t before = payload.size() - octets.size();
    StreamFront front{FrontMatch::no, MessageKind::none, before};
    const auto decide = [&](MessageKind kind, FrontMatch match) {
        if (match != FrontMatch::no) {
            front = {match, kind, before};
        }
        return match == FrontMatch::yes;
    };
    // The first that is there; what may be one waits for others.
    [[maybe_unused]] const bool is_there =
        decide(MessageKind::http, http_front(text_of(octets), hint == MessageKind::http)) ||
        decide(MessageKind::tls, tls_front(octets, hint == MessageKind::tls)) ||
        decide(MessageKind::ssh, match_token(text_of(octets), "SSH-", 0)) ||
        decide(MessageKind::smb, smb_front(octets)) ||
        decide(MessageKind::http2, http2_front(octets));
    return front;
}

bool is_of_who_asks(const StreamFront& front, std::span<const uint8_t> octets) noexcept {
    constexpr size_t kHandshakeAt = 5;
    constexpr uint8_t kClientHello = 1;
    octets = octets.subspan(front.before);
    return front.kind == MessageKind::http ? !text_of(octets).starts_with("HTTP/")
           : front.kind == MessageKind::tls
               ? octets.size() > kHandshakeAt && octets[kHandshakeAt] == kClientHello
               : false;
}

}  // namespace curlew::probe

#include "collector/protocols/tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "collector/digest.h"
#include "collector/protocols/cursor.h"
#include "collector/protocols/dtls_stream.h"
#include "collector/protocols/fingerprint.h"
#include "collector/protocols/tls_alert.h"
#include "collector/protocols/tls_hello.h"
#include "collector/protocols/tls_stream.h"
#include "collector/protocols/wire_member.h"

namespace curlew::collector {
namespace {

constexpr size_t kMaximumCertificates = 8;
constexpr size_t kMaximumListed = 512;  // cipher suites, groups, versions
constexpr size_t kMaximumProtocolNames = 32;

// Both ends' hellos. The others of their messages are in the streams.
struct Handshake {
    const TlsClear* client_stream = nullptr;
    const TlsClear* server_stream = nullptr;
    std::optional<ClientHello> client;
    std::optional<ServerHello> server;
};

// Encrypted messages may have any type; hellos have a version of TLS too.
bool begins_with(const TlsClear& stream, uint8_t type) {
    if (stream.messages.empty() || stream.messages.front().type != type) {
        return false;
    }
    const uint8_t major = Cursor(stream.messages.front().body).u8();
    return stream.form == TlsForm::dtls ? major == 0xfe : major == 3 || major == 0x7f;
}

bool is_client(const TlsClear& stream) {
    return !stream.version2_hello.empty() || begins_with(stream, kTlsClientHello);
}

bool is_server(const TlsClear& stream) {
    return begins_with(stream, kTlsServerHello);
}

std::optional<ClientHello> client_hello_of(const TlsClear& stream) {
    if (!stream.version2_hello.empty()) {
        return read_version2_hello(stream.version2_hello);
    }
    if (!is_client(stream)) {
        return std::nullopt;
    }
    // Of DTLS the first may lack a fragment, and the second, with the cookie, be whole.
    const auto whole =
        std::find_if(stream.messages.begin(), stream.messages.end(), [](const TlsMessage& one) {
            return one.type == kTlsClientHello && one.whole;
        });
    const TlsMessage& message = whole != stream.messages.end() ? *whole : stream.messages.front();
    return read_client_hello(message.body, message.whole, stream.form);
}

// The last one: a HelloRetryRequest comes before it, in the same form.
std::optional<ServerHello> server_hello_of(const TlsClear& stream) {
    if (!is_server(stream)) {
        return std::nullopt;
    }
    const TlsMessage& first = stream.messages.front();
    ServerHello hello = read_server_hello(first.body, first.whole);
    if (!hello.is_retry_request()) {
        return hello;
    }
    TlsMessage next = stream.after_change;
    if (stream.messages.size() > 1) {
        next = stream.messages[1];
    }
    if (next.type == kTlsServerHello) {
        const bool malformed = hello.malformed;
        hello = read_server_hello(next.body, next.whole);
        hello.malformed = hello.malformed || malformed;
    }
    return hello;
}

const TlsMessage* message_of(const TlsClear& stream, uint8_t type) {
    const auto& messages = stream.messages;
    const auto found = std::find_if(messages.begin(),
                                    messages.end(),
                                    [type](const TlsMessage& one) { return one.type == type; });
    return found == messages.end() ? nullptr : &*found;
}

template <typename Numbers>
void write_hex_list(JsonLine& json, std::string_view name, const Numbers& numbers) {
    json.key(name);
    json.start_array();
    for (size_t i = 0; i < std::min(numbers.size(), kMaximumListed); ++i) {
        json.text(numbers[i] > 0xffff ? fmt::format("{:06x}", numbers[i])
                                      : fmt::format("{:04x}", numbers[i]));
    }
    json.end_array();
}

void write_version_list(JsonLine& json, const std::vector<uint16_t>& versions) {
    json.key("supported_versions");
    json.start_array();
    for (const uint16_t version : versions) {
        json.text(version_name(version));
    }
    json.end_array();
}

void write_extensions(JsonLine& json,
                      std::string_view name,
                      const std::vector<TlsExtension>& extensions) {
    if (extensions.empty()) {
        return;
    }
    json.key(name);
    json.start_array();
    for (const TlsExtension& extension : extensions) {
        json.start_object();
        json.number("type", extension.type);
        json.number("length", extension.body.size());
        json.end_object();
    }
    json.end_array();
}

void write_versions(JsonLine& json, const Handshake& handshake) {
    if (handshake.server && handshake.server->tells_chosen_version()) {
        json.text("version", version_name(handshake.server->chosen_version()));
    } else if (!handshake.server && handshake.client->tells_highest_version()) {
        json.text("version", version_name(handshake.client->highest_version()));
    }
    if (handshake.client && handshake.client->version != 0) {
        json.text("c_version", version_name(handshake.client->version));
    }
    if (handshake.server && handshake.server->version != 0) {
        json.text("s_version", version_name(handshake.server->version));
    }
}

void write_names(JsonLine& json, const Handshake& handshake) {
    if (handshake.client && !handshake.client->server_name.empty()) {
        write_wire_text(json, "sni", handshake.client->server_name);
    }
    if (handshake.client && !handshake.client->protocol_names.empty()) {
        const auto& names = handshake.client->protocol_names;
        json.key("alpn");
        json.start_array();
        for (size_t i = 0; i < std::min(names.size(), kMaximumProtocolNames); ++i) {
            write_wire_text(json, names[i]);
        }
        json.end_array();
    }
    if (handshake.server && !handshake.server->protocol_name.empty()) {
        write_wire_text(json, "alpn_selected", handshake.server->protocol_name);
    }
}

void write_offers(JsonLine& json, const Handshake& handshake) {
    // A hello that was cut before them does not say that it offers none.
    if (handshake.client && !handshake.client->cipher_suites.empty()) {
        write_hex_list(json, "cs", handshake.client->cipher_suites);
    }
    if (handshake.server && handshake.server->complete) {
        json.text("scs", fmt::format("{:04x}", handshake.server->cipher_suite));
    }
    if (handshake.client) {
        write_extensions(json, "c_extensions", handshake.client->extensions);
    }
    if (handshake.server) {
        write_extensions(json, "s_extensions", handshake.server->extensions);
    }
    if (handshake.client && !handshake.client->supported_versions.empty()) {
        write_version_list(json, handshake.client->supported_versions);
    }
    if (handshake.client && !handshake.client->supported_groups.empty()) {
        write_hex_list(json, "supported_groups", handshake.client->supported_groups);
    }
}

void write_hex_member(JsonLine& json, std::string_view name, std::string_view octets) {
    if (!octets.empty()) {
        json.hex(name, octets);
    }
}

void write_randoms(JsonLine& json, const Handshake& handshake) {
    const ClientHello none;
    const ServerHello nothing;
    const ClientHello& client = handshake.client ? *handshake.client : none;
    const ServerHello& server = handshake.server ? *handshake.server : nothing;
    write_hex_member(json, "c_random", client.random);
    write_hex_member(json, "s_random", server.random);
    write_hex_member(json, "c_session_id", client.session_id);
    write_hex_member(json, "s_session_id", server.session_id);
    const TlsMessage* key_exchange = message_of(*handshake.client_stream, kTlsClientKeyExchange);
    if (key_exchange != nullptr && key_exchange->whole) {
        json.number("c_key_length", 8 * key_exchange->body.size());
    }
}

Transport transport_of(TlsForm form) {
    switch (form) {
        case TlsForm::dtls:
            return Transport::dtls;
        case TlsForm::quic:
            return Transport::quic;
        case TlsForm::tls:
            break;
    }
    return Transport::tls;
}

void write_fingerprints(JsonLine& json, const Handshake& handshake) {
    if (handshake.client && handshake.client->complete && !handshake.client->version2) {
        const std::string text = ja3_text(*handshake.client);
        json.text("ja3", md5_of(text));
        json.text("ja3_text", text);
        json.text("ja4", ja4(*handshake.client, transport_of(handshake.client_stream->form)));
    }
    if (handshake.server && handshake.server->complete) {
        json.text("ja3s", md5_of(ja3s_text(*handshake.server)));
    }
}

// RFC 5246 section 7.4.2
//
//  length 3 | certificates, each behind its length 3
//
// Of a message that the stream cuts, the certificates that are there. False when it contradicts
// itself.
bool write_certificates(JsonLine& json,
                        CertificateWriter& certificates,
                        std::string_view name,
                        const TlsClear& stream) {
    const TlsMessage* message = message_of(stream, kTlsCertificate);
    if (message == nullptr) {
        return true;
    }
    Cursor cursor(message->body);
    const size_t length = cursor.u24();
    bool right = !message->whole || length == cursor.left();
    Cursor list(cursor.rest().substr(0, length));
    bool begun = false;
    for (size_t i = 0; i < kMaximumCertificates && list.left() > 0; ++i) {
        const std::string_view der = list.take_counted(3);
        if (!list.ok()) {
            break;
        }
        if (!begun) {
            json.key(name);
            json.start_array();
            begun = true;
        }
        right = certificates.write(json, der) && right;
    }
    if (begun) {
        json.end_array();
    }
    return right && (list.ok() || !message->whole);
}

void write_alerts_of(JsonLine& json, const TlsClear& stream, std::string_view direction) {
    for (const TlsAlert& alert : stream.alerts) {
        json.start_object();
        json.text("dir", direction);
        json.text("level", alert_level_name(alert.level));
        json.text("description", alert_name(alert.description));
        json.end_object();
    }
}

void write_alerts(JsonLine& json, const TlsClear& forward, const TlsClear& reverse) {
    if (forward.alerts.empty() && reverse.alerts.empty()) {
        return;
    }
    json.key("alerts");
    json.start_array();
    write_alerts_of(json, forward, ">");
    write_alerts_of(json, reverse, "<");
    json.end_array();
}

// Not all octets of a message are there.
bool is_cut(const TlsClear& stream) {
    return std::any_of(stream.messages.begin(), stream.messages.end(), [](const TlsMessage& one) {
        return !one.whole;
    });
}

bool write_clear(JsonLine& json,
                 CertificateWriter& certificates,
                 const TlsClear& forward,
                 const TlsClear& reverse) {
    const bool turned = is_server(forward) || (is_client(reverse) && !is_client(forward));
    Handshake handshake;
    handshake.client_stream = turned ? &reverse : &forward;
    handshake.server_stream = turned ? &forward : &reverse;
    handshake.client = client_hello_of(*handshake.client_stream);
    handshake.server = server_hello_of(*handshake.server_stream);
    if (!handshake.client && !handshake.server) {
        return true;
    }
    json.key("tls");
    json.start_object();
    write_versions(json, handshake);
    write_names(json, handshake);
    write_offers(json, handshake);
    write_randoms(json, handshake);
    write_fingerprints(json, handshake);
    bool right = write_certificates(json, certificates, "s_cert", *handshake.server_stream);
    right = write_certificates(json, certificates, "c_cert", *handshake.client_stream) && right;
    write_alerts(json, forward, reverse);
    right = right && !forward.malformed && !reverse.malformed &&
            !(handshake.client && handshake.client->malformed) &&
            !(handshake.server && handshake.server->malformed);
    if (!right) {
        write_mark(json, "malformed");
    }
    if (is_cut(forward) || is_cut(reverse)) {
        write_mark(json, "cut");
    }
    json.end_object();
    return right;
}

}  // namespace

bool write_tls(JsonLine& json,
               CertificateWriter& certificates,
               std::string_view forward,
               std::string_view reverse) {
    const TlsStream forward_stream(forward);
    const TlsStream reverse_stream(reverse);
    return write_clear(json, certificates, forward_stream.clear(), reverse_stream.clear());
}

bool write_dtls(JsonLine& json,
                CertificateWriter& certificates,
                const std::vector<std::string_view>& forward,
                const std::vector<std::string_view>& reverse) {
    const DtlsStream forward_stream(forward);
    const DtlsStream reverse_stream(reverse);
    return write_clear(json, certificates, forward_stream.clear(), reverse_stream.clear());
}

void write_client_members(JsonLine& json, const ClientHello& hello, TlsForm form) {
    TlsClear stream;
    stream.form = form;
    Handshake handshake;
    handshake.client_stream = &stream;
    handshake.client = hello;
    write_names(json, handshake);
    write_offers(json, handshake);
    write_randoms(json, handshake);
    write_fingerprints(json, handshake);
}

}  // namespace curlew::collector

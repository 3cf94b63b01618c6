#include "collector/joy_tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "collector/joy_certificate.h"
#include "collector/joy_handshake.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// IANA's names as Joy 3.0.3 knows them, 0 to 25, and two more.
constexpr std::array<std::string_view, 26> kExtensionNames{
    "server_name",
    "max_fragment_length",
    "client_certificate_url",
    "trusted_ca_keys",
    "truncated_hmac",
    "status_request",
    "user_mapping",
    "client_authz",
    "server_authz",
    "cert_type",
    "supported_groups",
    "ec_point_formats",
    "srp",
    "signature_algorithms",
    "use_srtp",
    "heartbeat",
    "application_layer_protocol_negotiation",
    "status_request_v2",
    "signed_certificate_timestamp",
    "client_certificate_type",
    "server_certificate_type",
    "padding",
    "encrypt_then_mac",
    "extended_master_secret",
    "token_binding",
    "cached_info",
};

std::string_view extension_name(uint16_t type) {
    constexpr uint16_t kSessionTicket = 35;
    constexpr uint16_t kRenegotiationInfo = 0xff01;
    if (type < kExtensionNames.size()) {
        return kExtensionNames[type];
    }
    return type == kSessionTicket       ? "session_ticket"
           : type == kRenegotiationInfo ? "renegotiation_info"
                                        : "";
}

struct Side {
    const proto::JoyTls& tls;
    JoyHandshake handshake;
    size_t records;  // that are printed
};

Side read_side(const proto::JoyTls& tls) {
    Side side{tls, {}, std::min<size_t>(static_cast<size_t>(tls.records_size()), kJoyNotedRecords)};
    if (tls.has_ending_version()) {
        side.handshake = read_joy_handshake(tls.handshake());
        if (side.handshake.version == 0) {
            side.handshake.version = joy_tls_version(static_cast<uint16_t>(tls.ending_version()));
        }
    }
    return side;
}

std::string_view view_of(const std::array<char, 32>& octets) {
    return {octets.data(), octets.size()};
}

class TlsWriter {
  public:
    TlsWriter(JsonLine& json, const Side& record, const Side* twin)
        : json_(json),
          record_(record.handshake),
          twin_(twin != nullptr ? &twin->handshake : nullptr),
          record_side_(record),
          twin_side_(twin),
          is_client_(record.handshake.role == JoyRole::client) {}

    void write();

  private:
    bool write_versions();
    void write_key_exchange();
    void write_randoms();
    void write_sessions();
    void write_server_name();
    void write_suites();
    void write_extensions(std::string_view key, const std::vector<JoyExtension>& extensions);
    void write_certificates(std::string_view key, const JoyHandshake* side);
    void write_records();
    void write_record(const Side& side, size_t index, std::string_view direction, uint64_t before);

    // The record's and the twin's names for something that each side has.
    std::string_view own(std::string_view client, std::string_view server) const {
        return is_client_ ? client : server;
    }
    std::string_view other(std::string_view client, std::string_view server) const {
        return is_client_ ? server : client;
    }
    const JoyHandshake* side_of(JoyRole role) const {
        return record_.role == role                      ? &record_
               : twin_ != nullptr && twin_->role == role ? twin_
                                                         : nullptr;
    }

    JsonLine& json_;
    const JoyHandshake& record_;
    const JoyHandshake* twin_;
    const Side& record_side_;
    const Side* twin_side_;
    bool is_client_;
};

void TlsWriter::write() {
    json_.key("tls");
    json_.start_object();
    if (write_versions()) {
        write_key_exchange();
        write_randoms();
        write_sessions();
        write_server_name();
        write_suites();
        if (const JoyHandshake* client = side_of(JoyRole::client)) {
            write_extensions("c_extensions", client->client_extensions);
        }
        if (const JoyHandshake* server = side_of(JoyRole::server)) {
            write_extensions("s_extensions", server->server_extensions);
        }
        write_certificates(own("c_cert", "s_cert"), &record_);
        write_certificates(other("c_cert", "s_cert"), twin_);
        write_records();
    }
    json_.end_object();
}

bool TlsWriter::write_versions() {
    if (record_.role == JoyRole::none) {
        json_.text("error", "no role");
        return false;
    }
    json_.number(own("c_version", "s_version"), record_.version);
    if (twin_ == nullptr) {
        return true;
    }
    if (twin_->role == record_.role) {
        json_.text("error", is_client_ ? "twin clients" : "twin servers");
        return false;
    }
    json_.number(other("c_version", "s_version"), record_.version);
    return true;
}

void TlsWriter::write_key_exchange() {
    const std::string* octets = &record_.client_key_exchange;
    if (octets->empty() && twin_ != nullptr) {
        octets = &twin_->client_key_exchange;
    }
    if (!octets->empty()) {
        json_.number("c_key_length", octets->size() * 8);
        json_.hex("c_key_exchange", *octets);
    }
}

void TlsWriter::write_randoms() {
    json_.hex(own("c_random", "s_random"), view_of(record_.random));
    if (twin_ != nullptr) {
        json_.hex(other("c_random", "s_random"), view_of(twin_->random));
    }
}

// The twin's only beside the record's.
void TlsWriter::write_sessions() {
    if (!record_.session_id.empty()) {
        json_.hex(own("c_sid", "s_sid"), record_.session_id);
        if (twin_ != nullptr && !twin_->session_id.empty()) {
            json_.hex(other("c_sid", "s_sid"), twin_->session_id);
        }
    }
}

void TlsWriter::write_server_name() {
    const JoyHandshake* side = record_.has_server_name ? &record_ : twin_;
    if (side != nullptr && side->has_server_name) {
        json_.key("sni");
        json_.start_array();
        json_.text(wire_text(side->server_name));
        json_.end_array();
    }
}

void TlsWriter::write_suites() {
    const JoyHandshake* server = is_client_ ? twin_ : &record_;
    const JoyHandshake* client = is_client_ ? &record_ : twin_;
    if (server != nullptr && server->cipher_suites.size() == 1) {
        json_.text("scs", fmt::format("{:04x}", server->cipher_suites[0]));
    }
    if (client != nullptr && !client->cipher_suites.empty()) {
        json_.key("cs");
        json_.start_array();
        for (const uint16_t suite : client->cipher_suites) {
            json_.text(fmt::format("{:04x}", suite));
        }
        json_.end_array();
    }
}

void TlsWriter::write_extensions(std::string_view key,
                                 const std::vector<JoyExtension>& extensions) {
    if (extensions.empty()) {
        return;
    }
    json_.key(key);
    json_.start_array();
    for (const JoyExtension& extension : extensions) {
        json_.start_object();
        const std::string_view name = extension_name(extension.type);
        if (name.empty()) {
            json_.number("kind", extension.type);
        }
        json_.hex(name.empty() ? "data" : name, extension.data);
        json_.end_object();
    }
    json_.end_array();
}

void TlsWriter::write_certificates(std::string_view key, const JoyHandshake* side) {
    if (side == nullptr || side->certificates.empty()) {
        return;
    }
    json_.key(key);
    json_.start_array();
    for (const std::string& certificate : side->certificates) {
        write_joy_certificate(json_, certificate);
    }
    json_.end_array();
}

// Both sides' records in order of time, the twin's first when they are equal.
void TlsWriter::write_records() {
    const size_t own_count = record_side_.records;
    const size_t twin_count = twin_side_ != nullptr ? twin_side_->records : 0;
    if (own_count == 0) {
        return;
    }
    const auto time_of = [](const Side& side, size_t index) {
        return side.tls.records(static_cast<int>(index)).time_us();
    };
    uint64_t before = time_of(record_side_, 0);
    if (twin_side_ != nullptr) {
        before = std::min(before, twin_count != 0 ? time_of(*twin_side_, 0) : 0);
    }
    json_.key("srlt");
    json_.start_array();
    size_t i = 0;
    size_t j = 0;
    while (i < own_count || j < twin_count) {
        const bool from_record = j >= twin_count || (i < own_count && time_of(record_side_, i) <
                                                                          time_of(*twin_side_, j));
        const Side& side = from_record ? record_side_ : *twin_side_;
        const size_t index = from_record ? i++ : j++;
        write_record(side, index, from_record && twin_side_ != nullptr ? ">" : "<", before);
        before = time_of(side, index);
    }
    json_.end_array();
}

void TlsWriter::write_record(const Side& side,
                             size_t index,
                             std::string_view direction,
                             uint64_t before) {
    const proto::JoyTlsRecord& record = side.tls.records(static_cast<int>(index));
    json_.start_object();
    json_.number("b", record.length_octets());
    json_.text("dir", direction);
    // Whole milliseconds below the gap, in 32 bits, which a negative one wraps.
    const auto gap_us = static_cast<int64_t>(record.time_us() - before);
    const int64_t gap_ms = gap_us / 1000 - (gap_us % 1000 < 0 ? 1 : 0);
    json_.number("ipt", static_cast<uint32_t>(gap_ms));
    json_.number("tp", record.content_type());
    const std::vector<JoyHandshakeMessage>& messages = side.handshake.messages[index];
    if (!messages.empty()) {
        json_.key("hs_types");
        json_.start_array();
        for (const JoyHandshakeMessage& message : messages) {
            json_.number(message.type);
        }
        json_.end_array();
        json_.key("hs_lens");
        json_.start_array();
        for (const JoyHandshakeMessage& message : messages) {
            json_.number(message.length);
        }
        json_.end_array();
    }
    json_.end_object();
}

}  // namespace

void write_joy_tls(JsonLine& json, const proto::JoyTls& record, const proto::JoyTls* twin) {
    const Side record_side = read_side(record);
    if (record_side.handshake.version == 0) {
        return;
    }
    if (twin == nullptr) {
        TlsWriter(json, record_side, nullptr).write();
        return;
    }
    const Side twin_side = read_side(*twin);
    if (twin_side.handshake.version != 0) {
        TlsWriter(json, record_side, &twin_side).write();
    }
}

}  // namespace curlew::collector

#include "probe/inspector.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "probe/message_fronts.h"
#include "probe/protocols/quic_hello.h"

namespace curlew::probe {

const char* name_of(NameField field) noexcept {
    switch (field) {
        case NameField::dns_question:
            return "dns.question";
        case NameField::mdns_question:
            return "mdns.question";
        case NameField::mdns_answer:
            return "mdns.answer";
        case NameField::tls_server_name:
            return "tls.sni";
        case NameField::http_host:
            return "http.host";
        case NameField::dhcp_host_name:
            return "dhcp.host_name";
        case NameField::quic_server_name:
            return "quic.sni";
    }
    return "unknown";
}

namespace {

constexpr uint8_t kHandshakeType = 22;  // of TLS and DTLS

// Values of FlowWarm::protocol.
enum class NameParser : uint8_t { none, dns, tls, http, dhcp, dtls };

NameParser parser_for(const std::string& protocol) {
    if (protocol == "dns" || protocol == "mdns" || protocol == "llmnr") {
        return NameParser::dns;
    }
    if (protocol == "tls") {
        return NameParser::tls;
    }
    if (protocol == "http") {
        return NameParser::http;
    }
    if (protocol == "dtls") {
        return NameParser::dtls;
    }
    return protocol == "dhcp" ? NameParser::dhcp : NameParser::none;
}

NameParser parser_of(MessageKind kind) noexcept {
    switch (kind) {
        case MessageKind::tls:
            return NameParser::tls;
        case MessageKind::http:
            return NameParser::http;
        case MessageKind::dns:
        case MessageKind::mdns:
        case MessageKind::llmnr:
            return NameParser::dns;
        default:
            return NameParser::none;
    }
}

void find_names(NameParser parser,
                const ParsedPacket& packet,
                MessageKind hint,
                std::span<const uint8_t> payload,
                FoundNames& names) noexcept {
    switch (parser) {
        case NameParser::dns:
            // Over TCP a message stands behind its length (RFC 1035 section 4.2.2).
            if (packet.key.protocol == kProtocolTcp) {
                payload = payload.subspan(std::min<size_t>(payload.size(), 2));
            }
            find_dns_names(payload, is_multicast_dns(packet.key, hint, payload), names);
            break;
        case NameParser::tls:
            find_tls_server_name(payload, names);
            break;
        case NameParser::http:
            find_http_host(payload, names);
            break;
        case NameParser::dtls:
            find_dtls_server_name(payload, names);
            break;
        case NameParser::dhcp:
            find_dhcp_host_name(payload, names);
            break;
        case NameParser::none:
            break;
    }
}

// A ClientHello in its record: it may follow another protocol, after STARTTLS or a proxy's answer.
bool begins_hello(const ParsedPacket& packet, std::span<const uint8_t> payload) noexcept {
    return packet.key.protocol == kProtocolTcp && payload.size() > 5 &&
           payload[0] == kHandshakeType && payload[1] == 3 && payload[5] == 1;
}

// Over HTTP who asks is one side, and what follows the head of a request may look like anything.
// False: this is no message of the side's that names a host. `is_head`: it is known to begin one.
bool may_name_host(std::span<const uint8_t> payload,
                   size_t side,
                   bool is_head,
                   FlowWarm& warm) noexcept {
    const auto answered = static_cast<uint8_t>(1 << side);
    const auto in_request = static_cast<uint8_t>(4 << side);
    const char code = http_answer_class(payload);
    // 1xx is none yet: who was told to go on sends the content now (RFC 9110 section 10.1.1).
    if (code != '1') {
        warm.http_sides &= static_cast<uint8_t>(~(4 << (1 - side)));
    }
    if (is_head) {
        warm.http_sides &= static_cast<uint8_t>(~in_request);
    }
    if ((warm.http_sides & (answered | in_request)) != 0) {
        return false;
    }
    if (code != 0) {
        warm.http_sides |= answered;
        return false;
    }
    if (http_request_goes_on(payload)) {
        warm.http_sides |= in_request;
    }
    return true;
}

// A flow's names in one piece, for comparing with a new one.
class NameChainText {
  public:
    NameChainText(const FlowFeatures& features, const FlowWarm& warm) noexcept {
        features.visit_chain(warm.names, [this](std::span<const uint8_t> part) { add(part); });
    }

    // What was put into the chain.
    void add(std::span<const uint8_t> part) noexcept {
        const size_t octets = std::min(part.size(), octets_.size() - size_);
        std::memcpy(octets_.data() + size_, part.data(), octets);
        size_ += octets;
    }

    bool has(const FoundName& name, bool from_high) const noexcept {
        size_t at = 0;
        while (at + sizeof(StoredName) <= size_) {
            StoredName stored;
            std::memcpy(&stored, octets_.data() + at, sizeof(stored));
            at += sizeof(StoredName);
            if (stored.octets > size_ - at) {
                return false;
            }
            if (stored.field == name.field && (stored.from_high != 0) == from_high &&
                stored.octets == name.octets &&
                std::memcmp(octets_.data() + at, name.text.data(), name.octets) == 0) {
                return true;
            }
            at += stored.octets;
        }
        return false;
    }

  private:
    std::array<uint8_t, kMaximumNamesPerFlow*(sizeof(StoredName) + kMaximumNameOctets)> octets_;
    size_t size_ = 0;
};

}  // namespace

Inspector::Inspector(const signatures::SignatureSet& set) : scanner_(set) {
    meanings_.resize(set.signatures().size());
    for (size_t i = 0; i < meanings_.size(); ++i) {
        const signatures::Signature& signature = set.signatures()[i];
        if (signature.kind == signatures::SignatureKind::payload) {
            meanings_[i] = {static_cast<uint8_t>(parser_for(signature.protocol)),
                            static_cast<uint8_t>(message_kind_of(signature.protocol.c_str()))};
        }
    }
}

void Inspector::inspect(const ParsedPacket& packet,
                        FlowHot& hot,
                        FlowWarm& warm,
                        FlowFeatures& features,
                        signatures::Scanner::Scratch& scratch,
                        FlowCounters& counters) const noexcept {
    // A later fragment is the middle of a message.
    if (!is_scanned_protocol(packet.key.protocol) || packet.transport == nullptr) {
        return;
    }
    const std::span payload(packet.payload, packet.payload_captured_octets);
    const size_t side = packet.from_low ? 0 : 1;
    if (warm.inspected[side] < kScannedPackets) {
        ++warm.inspected[side];
        scan(packet, payload, hot, warm, scratch, counters);
    }
    std::span behind = behind_proxy_header(payload);
    const bool is_hello = begins_hello(packet, behind);
    if ((warm.protocol != 0 || is_hello) && hot.payload_packets < kNamedPackets) {
        const auto protocol = static_cast<NameParser>(warm.protocol);
        const auto parser = is_hello ? NameParser::tls : protocol;
        if (parser == NameParser::http) {
            behind = behind_empty_lines(behind);
        }
        if (protocol == NameParser::http && !payload.empty() &&
            !may_name_host(behind, side, false, warm)) {
            return;
        }
        FoundNames names;
        find_names(parser,
                   packet,
                   static_cast<MessageKind>(warm.message_kind),
                   parser == NameParser::tls || parser == NameParser::http ? behind : payload,
                   names);
        // Behind its handshake no datagram of DTLS tells a name, and there may be many.
        if (protocol == NameParser::dtls && !payload.empty() && payload[0] != kHandshakeType) {
            warm.protocol = 0;
        }
        store_names(names, !packet.from_low, hot, warm, features);
    }
}

void Inspector::inspect_joined(const ParsedPacket& packet,
                               MessageKind kind,
                               std::span<const uint8_t> message,
                               FlowHot& hot,
                               FlowWarm& warm,
                               FlowFeatures& features,
                               signatures::Scanner::Scratch& scratch,
                               FlowCounters& counters) const noexcept {
    FoundNames names;
    if (kind == MessageKind::quic) {
        find_quic_server_name(message, names);
    } else {
        scan(packet, message, hot, warm, scratch, counters);
        if (kind != MessageKind::http ||
            may_name_host(message, packet.from_low ? 0 : 1, true, warm)) {
            find_names(parser_of(kind), packet, kind, message, names);
        }
    }
    store_names(names, !packet.from_low, hot, warm, features);
}

void Inspector::scan(const ParsedPacket& packet,
                     std::span<const uint8_t> payload,
                     FlowHot& hot,
                     FlowWarm& warm,
                     signatures::Scanner::Scratch& scratch,
                     FlowCounters& counters) const noexcept {
    const uint8_t from_high = packet.from_low ? 0 : 1;
    // A side that was recognised needs no second look.
    if ((warm.recognised >> from_high & 1) != 0) {
        return;
    }
    signatures::Scanner::Result result;
    scanner_.scan(payload.first(std::min(payload.size(), kScannedOctets)),
                  {.transport = packet.key.protocol == kProtocolTcp ? signatures::Transport::tcp
                                                                    : signatures::Transport::udp,
                   .ordinal = warm.inspected[from_high],
                   .ports = {{packet.key.low_port, packet.key.high_port}}},
                  scratch,
                  result);
    if (result.failed) {
        ++counters.scans_failed;
        hot.quality |= kQualityClassificationIncomplete;
    }
    if (result.cut) {
        hot.quality |= kQualityListCut;
    }
    for (size_t i = 0; i < result.count; ++i) {
        if (warm.hit_count == kMaximumHitsPerFlow) {
            hot.quality |= kQualityListCut;
            return;
        }
        const signatures::Scanner::Hit& hit = result.hits[i];
        const Meaning& meaning = meanings_[hit.signature];
        warm.hits[warm.hit_count++] = {
            hit.signature, hot.payload_packets, from_high, hit.end_offset};
        warm.recognised = static_cast<uint8_t>(warm.recognised | 1 << from_high);
        if (warm.protocol == 0) {
            warm.protocol = meaning.parser;
        }
        if (warm.message_kind == 0) {
            warm.message_kind = meaning.kind;
        }
    }
}

void Inspector::store_names(const FoundNames& names,
                            bool from_high,
                            FlowHot& hot,
                            FlowWarm& warm,
                            FlowFeatures& features) const noexcept {
    if (names.cut()) {
        hot.quality |= kQualityListCut;
    }
    if (names.count() == 0) {
        return;
    }
    NameChainText known(features, warm);
    for (size_t i = 0; i < names.count(); ++i) {
        const FoundName& name = names[i];
        if (known.has(name, from_high)) {
            continue;
        }
        if (warm.name_count == kMaximumNamesPerFlow) {
            hot.quality |= kQualityListCut;
            return;
        }
        const StoredName stored{
            name.field, name.octets, hot.payload_packets, static_cast<uint8_t>(from_high ? 1 : 0)};
        std::array<uint8_t, sizeof(StoredName) + kMaximumNameOctets> octets;
        std::memcpy(octets.data(), &stored, sizeof(stored));
        std::memcpy(octets.data() + sizeof(stored), name.text.data(), name.octets);
        const std::span<const uint8_t> entry(octets.data(), sizeof(stored) + name.octets);
        if (!features.append(warm.names, warm.names_tail, entry)) {
            hot.quality |= kQualityListCut;
            return;
        }
        known.add(entry);
        ++warm.name_count;
    }
}

}  // namespace curlew::probe

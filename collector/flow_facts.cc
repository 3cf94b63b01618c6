#include "collector/flow_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "collector/flow_identity.h"
#include "collector/json_members.h"
#include "collector/protocols/dns.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr const char* kService = "mdns.service";

// How a connection without payload went: bits of tcpControlBits, both directions.
constexpr uint32_t kSynBit = 2;
constexpr uint32_t kRstBit = 4;
constexpr uint32_t kAckBit = 16;

// Empty: nothing to say. Who acknowledges something was answered, whether or not that was seen.
std::string_view behaviour_of(const proto::FlowSummary& flow) {
    const uint32_t forward_bits = flow.forward().tcp_control_bits();
    const uint32_t reverse_bits = flow.reverse().tcp_control_bits();
    if (flow.protocol_identifier() != kProtocolTcp || has_payload(flow) ||
        (forward_bits & kSynBit) == 0) {
        return {};
    }
    const bool answered = (reverse_bits & (kSynBit | kAckBit)) == (kSynBit | kAckBit);
    const bool silent = reverse_bits == 0 && (forward_bits & kAckBit) == 0;
    // A later record does not tell what became of a connection that an earlier one began.
    if (flow.record_number() != 0 && !silent) {
        return {};
    }
    return answered                        ? "empty"
           : (reverse_bits & kRstBit) != 0 ? "refused"
           : silent                        ? "unanswered"
                                           : "";
}

void add_symbol(size_t& count, bool reverse, uint64_t octets, std::string& symbols) {
    if (octets == 0 || count == kMaximumSymbols) {
        return;
    }
    const fmt::format_int number(octets);
    symbols += reverse ? '<' : '>';
    symbols.append(number.data(), number.size());
    ++count;
}

void add_field(std::vector<Fact>& fields,
               std::string field,
               std::string value,
               bool reverse,
               const std::string& owner = {}) {
    if (fields.size() == kMaximumFields) {
        return;
    }
    const bool known = std::any_of(fields.begin(), fields.end(), [&](const Fact& one) {
        return one.field == field && one.value == value && one.reverse == reverse &&
               one.owner == owner;
    });
    if (!known && !value.empty()) {
        fields.push_back(
            {EvidenceKind::field, std::move(field), std::move(value), {}, 0, 0, reverse, owner});
    }
}

void add_ip_protocol(FlowFacts& facts) {
    add_field(facts.fields, "ip.protocol", fmt::format_int(facts.protocol).str(), false);
}

using Json = rapidjson::Value;

std::string text_of(const Json* value) {
    if (value != nullptr && value->IsString()) {
        return {value->GetString(), value->GetStringLength()};
    }
    return value != nullptr && value->IsUint64() ? fmt::format("{}", value->GetUint64())
                                                 : std::string();
}

uint64_t number_of(const Json* value) {
    return value != nullptr && value->IsUint64() ? value->GetUint64() : 0;
}

bool is_true(const Json* value) {
    return value != nullptr && value->IsTrue();
}

bool is_reverse(const Json& message) {
    return text_of(member(message, "dir")) == "<";
}

// Each message of a member that is a list.
template <typename Visit>
void for_each(const Json& record, const char* name, Visit visit) {
    const Json* list = member(record, name);
    if (list == nullptr || !list->IsArray()) {
        return;
    }
    for (const Json& one : list->GetArray()) {
        visit(one);
    }
}

// A longer one is none (RFC 1035 section 2.3.4).
constexpr size_t kLongestHostName = 255;
// As many as the probe tells of a flow.
constexpr std::ptrdiff_t kMostNamesTold = 16;

void add_name(std::string field, std::string name, MessageFacts& facts) {
    if (!name.empty() && name.size() <= kLongestHostName) {
        facts.names.push_back({EvidenceKind::name,
                               std::move(field),
                               std::move(name),
                               {},
                               Fact::kNoPacket,
                               0,
                               false,
                               {}});
    }
}

void add_http(const Json& record, MessageFacts& facts) {
    for_each(record, "http", [&facts](const Json& message) {
        const bool reverse = is_reverse(message);
        const std::string target = text_of(member(message, "uri"));
        // A target that names its host says more (RFC 9112 section 3.2.2), and the probe reads it.
        if (!reverse && member(message, "method") != nullptr && target.starts_with('/')) {
            add_name("http.host", text_of(member(message, "host")), facts);
        }
        add_field(facts.fields, "http.path", target, reverse);
        add_field(facts.fields, "http.user_agent", text_of(member(message, "user_agent")), reverse);
        for_each(message, "headers", [&](const Json& header) {
            if (lower_case(text_of(member(header, "name"))) == "server") {
                add_field(facts.fields, "http.server", text_of(member(header, "value")), reverse);
            }
        });
    });
}

void add_ssdp(const Json& record, MessageFacts& facts) {
    for_each(record, "ssdp", [&facts](const Json& message) {
        for (const char* name : {"nt", "server", "st", "usn"}) {
            add_field(facts.fields,
                      std::string("ssdp.") + name,
                      text_of(member(message, name)),
                      is_reverse(message));
        }
    });
}

// What a responder announces; a query repeats what others said.
void add_mdns(const Json& record, MessageFacts& facts) {
    for_each(record, "mdns", [&facts](const Json& message) {
        if (!is_true(member(message, "qr"))) {
            return;
        }
        for (const char* section : {"rr", "ar"}) {
            for_each(message, section, [&](const Json& one) {
                const bool reverse = is_reverse(message);
                const std::string type = text_of(member(one, "type"));
                if (type == "PTR" || type == "SRV" || type == "TXT") {
                    add_field(facts.fields, kService, text_of(member(one, "name")), reverse);
                    add_field(facts.fields, kService, text_of(member(one, "ptr")), reverse);
                }
            });
        }
    });
}

// Clients without an address share one flow, from 0.0.0.0 to everybody: who speaks is told by the
// hardware address in the message, and the flow is nobody's where that is another one.
void add_dhcp(const Json& record, MessageFacts& facts) {
    for_each(record, "dhcp", [&facts](const Json& message) {
        if (number_of(member(message, "op")) != 1) {
            return;
        }
        const bool reverse = is_reverse(message);
        const std::string owner = text_of(member(message, "chaddr"));
        for (const char* name : {"host_name", "vendor_class"}) {
            add_field(facts.fields,
                      std::string("dhcp.") + name,
                      text_of(member(message, name)),
                      reverse,
                      owner);
        }
        if (!owner.empty()) {
            facts.clients[reverse ? 1 : 0].push_back(owner);
        }
    });
}

void add_tls(const Json& record, MessageFacts& facts) {
    for (const char* name : {"tls", "quic"}) {
        if (const Json* tls = member(record, name)) {
            add_field(facts.fields, "tls.ja4", text_of(member(*tls, "ja4")), false);
            add_name(std::string(name) + ".sni", text_of(member(*tls, "sni")), facts);
            const Json* chain = member(*tls, "s_cert");
            if (chain != nullptr && chain->IsArray() && !chain->Empty()) {
                const Json& first = (*chain)[0];
                const auto add = [&](const char* field, const char* of) {
                    add_field(facts.fields, field, text_of(member(first, of)), true);
                };
                add("tls.certificate_subject", "subject");
                add("tls.certificate_issuer", "issuer");
            }
        }
    }
}

void add_ssh(const Json& record, MessageFacts& facts) {
    if (const Json* ssh = member(record, "ssh")) {
        add_field(facts.fields, "ssh.software", text_of(member(*ssh, "client")), false);
        add_field(facts.fields, "ssh.software", text_of(member(*ssh, "server")), true);
    }
}

void add_igmp(const Json& record, MessageFacts& facts) {
    for_each(record, "igmp", [&facts](const Json& message) {
        add_field(facts.fields, "igmp.type", text_of(member(message, "type")), is_reverse(message));
    });
}

void add_icmp_types(const Json& record, FlowFacts& facts) {
    for_each(record, "icmp", [&facts](const Json& one) {
        add_field(
            facts.fields,
            "icmp.type",
            fmt::format("{}/{}", number_of(member(one, "type")), number_of(member(one, "code"))),
            false);
    });
}

EvidenceKind kind_of(const Json& match) {
    return evidence_kind_named(text_of(member(match, "kind")));
}

bool is_stored_fact(EvidenceKind kind) {
    return kind == EvidenceKind::payload || kind == EvidenceKind::name ||
           kind == EvidenceKind::name_by_dns || kind == EvidenceKind::behaviour;
}

uint32_t packet_of(EvidenceKind kind, const Json& match) {
    const Json* packet = member(match, "packet");
    return packet == nullptr && kind == EvidenceKind::name
               ? Fact::kNoPacket
               : static_cast<uint32_t>(number_of(packet));
}

void add_stored_facts(const Json& record, FlowFacts& facts) {
    for_each(record, "matched", [&facts](const Json& match) {
        const EvidenceKind kind = kind_of(match);
        if (is_stored_fact(kind)) {
            facts.facts.push_back({kind,
                                   text_of(member(match, "field")),
                                   text_of(member(match, "value")),
                                   kind == EvidenceKind::payload
                                       ? text_of(member(match, "signature"))
                                       : std::string(),
                                   packet_of(kind, match),
                                   static_cast<uint32_t>(number_of(member(match, "offset"))),
                                   is_reverse(match)});
        }
    });
}

bool has_quality(const Json& record, std::string_view word) {
    bool found = false;
    for_each(record, "quality", [&](const Json& one) { found = found || text_of(&one) == word; });
    return found;
}

// The time in front of a flow id.
uint64_t start_of(std::string_view flow_id) {
    uint64_t start_us = 0;
    std::from_chars(flow_id.data(), flow_id.data() + flow_id.size(), start_us);
    return start_us;
}

// Empty where its holder spoke for another.
std::string own_mac(std::string mac, const std::vector<std::string>& clients) {
    const bool is_own = std::all_of(
        clients.begin(), clients.end(), [&mac](const std::string& one) { return one == mac; });
    return is_own ? std::move(mac) : std::string();
}

MessageFacts messages_of(const Json& record) {
    MessageFacts messages;
    add_http(record, messages);
    add_ssdp(record, messages);
    add_mdns(record, messages);
    add_dhcp(record, messages);
    add_tls(record, messages);
    add_ssh(record, messages);
    add_igmp(record, messages);
    return messages;
}

void append_number(uint64_t number, std::string& key) {
    key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// With its length before it, so that no two lists of them look the same.
void append_octets(std::string_view octets, std::string& key) {
    append_number(octets.size(), key);
    key.append(octets);
}

}  // namespace

bool has_payload(const proto::FlowSummary& flow) {
    return flow.forward().payload_octets() + flow.reverse().payload_octets() > 0;
}

FlowFacts facts_of(const proto::FlowSummary& flow) {
    FlowFacts facts;
    facts.protocol = flow.protocol_identifier();
    facts.initiator = address_text(flow.initiator_address());
    facts.responder = address_text(flow.responder_address());
    if (has_ports(facts.protocol)) {
        facts.initiator_port = static_cast<uint16_t>(flow.initiator_port());
        facts.responder_port = static_cast<uint16_t>(flow.responder_port());
    }
    facts.flow_start_us = flow.first_record_start_ns() / 1000;
    facts.end_us = flow.flow_end_ns() / 1000;
    facts.record_number = flow.record_number();
    facts.begin_seen = (flow.quality() & proto::QUALITY_BEGIN_SEEN) != 0;
    facts.has_payload = has_payload(flow);
    facts.initiator_mac = mac_text(flow.forward().source_mac());
    facts.responder_mac = mac_text(flow.reverse().source_mac());
    for (const proto::Match& match : flow.matches()) {
        facts.facts.push_back({match.kind() == proto::EVIDENCE_KIND_PAYLOAD ? EvidenceKind::payload
                                                                            : EvidenceKind::name,
                               wire_text(match.field()),
                               wire_text(match.value()),
                               wire_text(match.signature()),
                               match.packet(),
                               match.offset(),
                               match.reverse()});
    }
    if (const std::string_view word = behaviour_of(flow); !word.empty()) {
        facts.facts.push_back(
            {EvidenceKind::behaviour, "tcp", std::string(word), {}, 0, 0, false, {}});
    }
    facts.symbols = symbols_of(flow);
    add_ip_protocol(facts);
    for (const std::string& type : flow.icmp_types()) {
        add_field(
            facts.fields,
            "icmp.type",
            fmt::format("{}/{}", static_cast<uint8_t>(type[0]), static_cast<uint8_t>(type[1])),
            false);
    }
    return facts;
}

std::string symbols_of(const proto::FlowSummary& flow) {
    std::string symbols;
    size_t count = 0;
    const proto::PacketList& packets = flow.packets();
    for (int i = 0; i < packets.payload_octets_size() && count < kMaximumSymbols; ++i) {
        add_symbol(count, (packets.flags(i) & 1) != 0, packets.payload_octets(i), symbols);
    }
    return symbols;
}

void append_facts_key(const proto::FlowSummary& flow, std::string& key) {
    append_number(flow.protocol_identifier(), key);
    append_octets(behaviour_of(flow), key);
    append_number(static_cast<uint64_t>(flow.icmp_types_size()), key);
    for (const std::string& type : flow.icmp_types()) {
        key.append(type, 0, 2);
    }
    append_number(static_cast<uint64_t>(flow.matches_size()), key);
    for (const proto::Match& match : flow.matches()) {
        append_number(static_cast<uint64_t>(match.kind()) << 1 | (match.reverse() ? 1 : 0), key);
        append_number(uint64_t{match.packet()} << 32 | match.offset(), key);
        append_octets(match.field(), key);
        append_octets(match.value(), key);
        append_octets(match.signature(), key);
    }
}

void append_message_key(const proto::ProtocolMessage& message, std::string& key) {
    append_number(static_cast<uint64_t>(message.protocol()) << 2 | (message.reverse() ? 2 : 0) |
                      (message.cut() ? 1 : 0),
                  key);
    append_octets(message.octets(), key);
}

void append_fact_key(const Fact& fact, std::string& key) {
    append_number(static_cast<uint64_t>(fact.kind) << 1 | (fact.reverse ? 1 : 0), key);
    append_number(uint64_t{fact.packet} << 32 | fact.offset, key);
    append_octets(fact.field, key);
    append_octets(fact.value, key);
    append_octets(fact.signature, key);
    append_octets(fact.owner, key);
}

void add_messages(const MessageFacts& messages, FlowFacts& facts) {
    for (const Fact& field : messages.fields) {
        if (facts.fields.size() < kMaximumFields) {
            facts.fields.push_back(field);
        }
    }
    for (const Fact& name : messages.names) {
        const auto names = std::count_if(facts.facts.begin(), facts.facts.end(), [](auto& fact) {
            return fact.kind == EvidenceKind::name;
        });
        const bool known = std::any_of(facts.facts.begin(), facts.facts.end(), [&](auto& fact) {
            return fact.kind == EvidenceKind::name && fact.field == name.field &&
                   fact.value == name.value;
        });
        if (!known && names < kMostNamesTold) {
            facts.facts.push_back(name);
        }
    }
    facts.initiator_mac = own_mac(std::move(facts.initiator_mac), messages.clients[0]);
    facts.responder_mac = own_mac(std::move(facts.responder_mac), messages.clients[1]);
}

bool may_have_fields(const proto::ProtocolMessage& message) {
    constexpr size_t kFlagsAt = 2;
    constexpr uint8_t kResponse = 0x80;
    switch (message.protocol()) {
        case proto::MESSAGE_PROTOCOL_DNS:
        case proto::MESSAGE_PROTOCOL_LLMNR:
        case proto::MESSAGE_PROTOCOL_NTP:
        case proto::MESSAGE_PROTOCOL_SMB:
            return false;
        case proto::MESSAGE_PROTOCOL_MDNS:
            // What is asked says nothing of who asks.
            return message.octets().size() > kFlagsAt &&
                   (static_cast<uint8_t>(message.octets()[kFlagsAt]) & kResponse) != 0;
        default:
            return true;
    }
}

bool says_only_mdns(const proto::FlowSummary& flow) {
    return std::all_of(flow.messages().begin(), flow.messages().end(), [](const auto& message) {
        return message.protocol() == proto::MESSAGE_PROTOCOL_MDNS || !may_have_fields(message);
    });
}

MessageFacts mdns_facts(const proto::FlowSummary& flow) {
    constexpr uint16_t kPtr = 12;
    constexpr uint16_t kTxt = 16;
    constexpr uint16_t kSrv = 33;
    MessageFacts facts;
    for (const proto::ProtocolMessage& message : flow.messages()) {
        if (message.protocol() != proto::MESSAGE_PROTOCOL_MDNS || !may_have_fields(message)) {
            continue;
        }
        const DnsMessage decoded = decode_dns(message.octets(), message.cut());
        for (const auto* section : {&decoded.answers, &decoded.additionals}) {
            for (const DnsRecord& record : *section) {
                if (record.type == kPtr || record.type == kSrv || record.type == kTxt) {
                    add_field(facts.fields, kService, wire_text(record.name), message.reverse());
                }
                if (record.type == kPtr && record.decoded) {
                    add_field(facts.fields, kService, wire_text(record.text), message.reverse());
                }
            }
        }
    }
    return facts;
}

MessageFacts FieldReader::read(std::string_view object) {
    text_.assign(object);
    MessageFacts messages;
    {
        rapidjson::Document document(&pool_);
        document.ParseInsitu(text_.data());
        messages = messages_of(document);
    }
    pool_.Clear();
    return messages;
}

bool facts_of_record(const rapidjson::Value& record, FlowFacts& facts) {
    facts = {};
    if (member(record, "label") == nullptr || member(record, "flow_id") == nullptr) {
        return false;
    }
    facts.protocol = static_cast<uint32_t>(number_of(member(record, "pr")));
    facts.initiator = text_of(member(record, "sa"));
    facts.responder = text_of(member(record, "da"));
    facts.initiator_port = static_cast<uint16_t>(number_of(member(record, "sp")));
    facts.responder_port = static_cast<uint16_t>(number_of(member(record, "dp")));
    facts.flow_id = text_of(member(record, "flow_id"));
    facts.flow_start_us = start_of(facts.flow_id);
    facts.end_us = number_of(member(record, "time_end_ns")) / 1000;
    facts.record_number = static_cast<uint32_t>(number_of(member(record, "record")));
    facts.begin_seen = has_quality(record, "begin_seen");
    facts.has_payload =
        number_of(member(record, "bytes_out")) + number_of(member(record, "bytes_in")) > 0;
    if (const Json* macs = member(record, "mac")) {
        facts.initiator_mac = text_of(member(*macs, "out"));
        facts.responder_mac = text_of(member(*macs, "in"));
    }
    add_stored_facts(record, facts);
    size_t symbols = 0;
    for_each(record, "packets", [&](const Json& packet) {
        add_symbol(symbols, is_reverse(packet), number_of(member(packet, "b")), facts.symbols);
    });
    add_ip_protocol(facts);
    add_icmp_types(record, facts);
    add_messages(messages_of(record), facts);
    return true;
}

}  // namespace curlew::collector

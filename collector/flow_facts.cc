#include "collector/flow_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "collector/flow_identity.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr uint32_t kTcp = 6;

std::string mac_text(std::string_view mac) {
    if (mac.size() != 6) {
        return {};
    }
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text(mac.size() * 3 - 1, ':');
    for (size_t at = 0; at < mac.size(); ++at) {
        const auto octet = static_cast<uint8_t>(mac[at]);
        text[3 * at] = kDigits[octet >> 4];
        text[3 * at + 1] = kDigits[octet & 15];
    }
    return text;
}

// How a connection without payload went: bits of tcpControlBits, both directions.
constexpr uint32_t kSyn = 2;
constexpr uint32_t kRst = 4;
constexpr uint32_t kAck = 16;

void add_behaviour(uint32_t forward_bits, uint32_t reverse_bits, FlowFacts& facts) {
    if (facts.protocol != kTcp || facts.has_payload || (forward_bits & kSyn) == 0 ||
        facts.record_number != 0) {
        return;
    }
    const bool answered = (reverse_bits & (kSyn | kAck)) == (kSyn | kAck);
    const char* word = answered                     ? "empty"
                       : (reverse_bits & kRst) != 0 ? "refused"
                       : reverse_bits == 0          ? "unanswered"
                                                    : nullptr;
    if (word != nullptr) {
        facts.facts.push_back({EvidenceKind::behaviour, "tcp", word, {}, 0, 0, false});
    }
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

void add_field(FlowFacts& facts,
               std::string field,
               std::string value,
               bool reverse,
               const std::string& owner = {}) {
    if (facts.fields.size() == kMaximumFields) {
        return;
    }
    const bool known = std::any_of(facts.fields.begin(), facts.fields.end(), [&](const Fact& one) {
        return one.field == field && one.value == value && one.reverse == reverse &&
               one.owner == owner;
    });
    if (!known && !value.empty()) {
        facts.fields.push_back(
            {EvidenceKind::field, std::move(field), std::move(value), {}, 0, 0, reverse, owner});
    }
}

void add_ip_protocol(FlowFacts& facts) {
    add_field(facts, "ip.protocol", fmt::format_int(facts.protocol).str(), false);
}

using Json = rapidjson::Value;

const Json* member(const Json& object, const char* name) {
    if (!object.IsObject()) {
        return nullptr;
    }
    const auto found = object.FindMember(name);
    return found == object.MemberEnd() ? nullptr : &found->value;
}

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

void add_http(const Json& record, FlowFacts& facts) {
    for_each(record, "http", [&facts](const Json& message) {
        const bool reverse = is_reverse(message);
        add_field(facts, "http.path", text_of(member(message, "uri")), reverse);
        add_field(facts, "http.user_agent", text_of(member(message, "user_agent")), reverse);
        for_each(message, "headers", [&](const Json& header) {
            if (lower_case(text_of(member(header, "name"))) == "server") {
                add_field(facts, "http.server", text_of(member(header, "value")), reverse);
            }
        });
    });
}

void add_ssdp(const Json& record, FlowFacts& facts) {
    for_each(record, "ssdp", [&facts](const Json& message) {
        for (const char* name : {"nt", "server", "st", "usn"}) {
            add_field(facts,
                      std::string("ssdp.") + name,
                      text_of(member(message, name)),
                      is_reverse(message));
        }
    });
}

// What a responder announces; a query repeats what others said.
void add_mdns(const Json& record, FlowFacts& facts) {
    for_each(record, "mdns", [&facts](const Json& message) {
        if (!is_true(member(message, "qr"))) {
            return;
        }
        for (const char* section : {"rr", "ar"}) {
            for_each(message, section, [&](const Json& one) {
                const bool reverse = is_reverse(message);
                const std::string type = text_of(member(one, "type"));
                if (type == "PTR" || type == "SRV" || type == "TXT") {
                    add_field(facts, "mdns.service", text_of(member(one, "name")), reverse);
                    add_field(facts, "mdns.service", text_of(member(one, "ptr")), reverse);
                }
            });
        }
    });
}

// Clients without an address share one flow, from 0.0.0.0 to everybody: who speaks is told by the
// hardware address in the message, and the flow is nobody's where that is another one.
void add_dhcp(const Json& record, FlowFacts& facts) {
    for_each(record, "dhcp", [&facts](const Json& message) {
        if (number_of(member(message, "op")) != 1) {
            return;
        }
        const bool reverse = is_reverse(message);
        const std::string owner = text_of(member(message, "chaddr"));
        for (const char* name : {"host_name", "vendor_class"}) {
            add_field(
                facts, std::string("dhcp.") + name, text_of(member(message, name)), reverse, owner);
        }
        std::string& mac = reverse ? facts.responder_mac : facts.initiator_mac;
        if (!owner.empty() && mac != owner) {
            mac.clear();
        }
    });
}

void add_tls(const Json& record, FlowFacts& facts) {
    for (const char* name : {"tls", "quic"}) {
        if (const Json* tls = member(record, name)) {
            add_field(facts, "tls.ja4", text_of(member(*tls, "ja4")), false);
            const Json* chain = member(*tls, "s_cert");
            if (chain != nullptr && chain->IsArray() && !chain->Empty()) {
                const Json& first = (*chain)[0];
                const auto add = [&](const char* field, const char* of) {
                    add_field(facts, field, text_of(member(first, of)), true);
                };
                add("tls.certificate_subject", "subject");
                add("tls.certificate_issuer", "issuer");
            }
        }
    }
}

void add_ssh(const Json& record, FlowFacts& facts) {
    if (const Json* ssh = member(record, "ssh")) {
        add_field(facts, "ssh.software", text_of(member(*ssh, "client")), false);
        add_field(facts, "ssh.software", text_of(member(*ssh, "server")), true);
    }
}

void add_igmp(const Json& record, FlowFacts& facts) {
    for_each(record, "igmp", [&facts](const Json& message) {
        add_field(facts, "igmp.type", text_of(member(message, "type")), is_reverse(message));
    });
}

void add_icmp_types(const Json& record, FlowFacts& facts) {
    for_each(record, "icmp", [&facts](const Json& one) {
        add_field(
            facts,
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
                                   static_cast<uint32_t>(number_of(member(match, "packet"))),
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

}  // namespace

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
    facts.has_payload = flow.forward().payload_octets() + flow.reverse().payload_octets() > 0;
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
    add_behaviour(flow.forward().tcp_control_bits(), flow.reverse().tcp_control_bits(), facts);
    size_t symbols = 0;
    const proto::PacketList& packets = flow.packets();
    for (int i = 0; i < packets.payload_octets_size(); ++i) {
        add_symbol(symbols, (packets.flags(i) & 1) != 0, packets.payload_octets(i), facts.symbols);
    }
    add_ip_protocol(facts);
    for (const std::string& type : flow.icmp_types()) {
        add_field(
            facts,
            "icmp.type",
            fmt::format("{}/{}", static_cast<uint8_t>(type[0]), static_cast<uint8_t>(type[1])),
            false);
    }
    return facts;
}

void add_metadata(const rapidjson::Value& record, FlowFacts& facts) {
    add_http(record, facts);
    add_ssdp(record, facts);
    add_mdns(record, facts);
    add_dhcp(record, facts);
    add_tls(record, facts);
    add_ssh(record, facts);
    add_igmp(record, facts);
}

void FieldReader::read(std::string_view object, FlowFacts& facts) {
    text_.assign(object);
    rapidjson::Document document;
    document.ParseInsitu(text_.data());
    add_metadata(document, facts);
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
    add_metadata(record, facts);
    return true;
}

}  // namespace curlew::collector

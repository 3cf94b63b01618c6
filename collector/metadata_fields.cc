#include "collector/metadata_fields.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "collector/protocols/dhcp.h"
#include "collector/protocols/dns.h"
#include "collector/protocols/http.h"
#include "collector/protocols/igmp.h"
#include "collector/protocols/ntp.h"
#include "collector/protocols/quic.h"
#include "collector/protocols/smb.h"
#include "collector/protocols/ssdp.h"
#include "collector/protocols/ssh.h"
#include "collector/protocols/tls.h"

namespace curlew::collector {
namespace {

// What is said at a message's end.
struct Verdict {
    bool malformed = false;
    bool cut = false;
};

Verdict write_dns_message(JsonLine& json, const proto::ProtocolMessage& message) {
    const DnsMessage decoded = decode_dns(message.octets(), message.cut());
    write_dns(json, decoded);
    return {decoded.malformed, decoded.cut};
}

Verdict write_http_message(JsonLine& json, const proto::ProtocolMessage& message) {
    const HttpHead head = decode_http(message.octets(), message.cut());
    write_http(json, head);
    return {head.malformed};
}

Verdict write_ssdp_message(JsonLine& json, const proto::ProtocolMessage& message) {
    // Some devices leave the empty line out; the end of the datagram is as good.
    const HttpHead head = decode_http(message.octets(), true);
    write_ssdp(json, head);
    const bool has_line = head.is_response ? head.code != 0 : !head.target.empty();
    return {head.malformed || (!has_line && !message.cut())};
}

Verdict write_dhcp_message(JsonLine& json, const proto::ProtocolMessage& message) {
    const DhcpMessage decoded = decode_dhcp(message.octets(), message.cut());
    write_dhcp(json, decoded);
    return {decoded.malformed};
}

Verdict write_ntp_message(JsonLine& json, const proto::ProtocolMessage& message) {
    const NtpMessage decoded = decode_ntp(message.octets(), message.cut());
    write_ntp(json, decoded);
    return {decoded.malformed};
}

Verdict write_igmp_message(JsonLine& json, const proto::ProtocolMessage& message) {
    const IgmpMessage decoded = decode_igmp(message.octets(), message.cut());
    write_igmp(json, decoded);
    return {decoded.malformed};
}

struct Member {
    proto::MessageProtocol protocol;
    const char* name;
    Verdict (*write)(JsonLine& json, const proto::ProtocolMessage& message);
};

constexpr Member kMembers[] = {
    {proto::MESSAGE_PROTOCOL_DNS, "dns", write_dns_message},
    {proto::MESSAGE_PROTOCOL_MDNS, "mdns", write_dns_message},
    {proto::MESSAGE_PROTOCOL_LLMNR, "llmnr", write_dns_message},
    {proto::MESSAGE_PROTOCOL_HTTP, "http", write_http_message},
    {proto::MESSAGE_PROTOCOL_DHCP, "dhcp", write_dhcp_message},
    {proto::MESSAGE_PROTOCOL_SSDP, "ssdp", write_ssdp_message},
    {proto::MESSAGE_PROTOCOL_NTP, "ntp", write_ntp_message},
    {proto::MESSAGE_PROTOCOL_IGMP, "igmp", write_igmp_message},
};

MetadataCounts write_member(JsonLine& json, const proto::FlowSummary& flow, const Member& member) {
    MetadataCounts counts;
    for (const proto::ProtocolMessage& message : flow.messages()) {
        if (message.protocol() != member.protocol) {
            continue;
        }
        if (counts.messages == 0) {
            json.key(member.name);
            json.start_array();
        }
        json.start_object();
        json.text("dir", message.reverse() ? "<" : ">");
        const Verdict verdict = member.write(json, message);
        if (verdict.malformed) {
            json.key("malformed");
            json.raw("true");
        }
        if (verdict.cut || message.cut()) {
            json.key("cut");
            json.raw("true");
        }
        json.end_object();
        ++counts.messages;
        counts.malformed += verdict.malformed ? 1 : 0;
    }
    if (counts.messages != 0) {
        json.end_array();
    }
    return counts;
}

// A flow's messages of one protocol, from the initiator and from the responder.
using BothSides = std::array<std::vector<std::string_view>, 2>;

BothSides messages_of(const proto::FlowSummary& flow, proto::MessageProtocol protocol) {
    BothSides sides;
    for (const proto::ProtocolMessage& message : flow.messages()) {
        if (message.protocol() == protocol) {
            sides[message.reverse() ? 1 : 0].push_back(message.octets());
        }
    }
    return sides;
}

MetadataCounts counts_of(size_t messages, bool whole) {
    return {messages, messages != 0 && !whole ? uint64_t{1} : 0};
}

// The first connection's, where a record has several.
std::string_view stream_of(const std::vector<std::string_view>& messages) {
    return messages.empty() ? std::string_view{} : messages.front();
}

MetadataCounts write_tls_member(JsonLine& json,
                                CertificateWriter& certificates,
                                const proto::FlowSummary& flow) {
    const BothSides tls = messages_of(flow, proto::MESSAGE_PROTOCOL_TLS);
    if (!tls[0].empty() || !tls[1].empty()) {
        return counts_of(tls[0].size() + tls[1].size(),
                         write_tls(json, certificates, stream_of(tls[0]), stream_of(tls[1])));
    }
    const BothSides dtls = messages_of(flow, proto::MESSAGE_PROTOCOL_DTLS);
    if (dtls[0].empty() && dtls[1].empty()) {
        return {};
    }
    return counts_of(dtls[0].size() + dtls[1].size(),
                     write_dtls(json, certificates, dtls[0], dtls[1]));
}

// The client's: the probe keeps one side's.
MetadataCounts write_quic_member(JsonLine& json, const proto::FlowSummary& flow) {
    const BothSides quic = messages_of(flow, proto::MESSAGE_PROTOCOL_QUIC);
    const auto& client = quic[0].empty() ? quic[1] : quic[0];
    if (client.empty()) {
        return {};
    }
    return counts_of(quic[0].size() + quic[1].size(), write_quic(json, client.front()));
}

MetadataCounts write_ssh_member(JsonLine& json, const proto::FlowSummary& flow) {
    const BothSides ssh = messages_of(flow, proto::MESSAGE_PROTOCOL_SSH);
    if (ssh[0].empty() && ssh[1].empty()) {
        return {};
    }
    return counts_of(ssh[0].size() + ssh[1].size(),
                     write_ssh(json, stream_of(ssh[0]), stream_of(ssh[1])));
}

MetadataCounts write_smb_member(JsonLine& json, const proto::FlowSummary& flow) {
    const BothSides smb = messages_of(flow, proto::MESSAGE_PROTOCOL_SMB);
    const size_t messages = smb[0].size() + smb[1].size();
    return messages == 0 ? MetadataCounts{} : counts_of(messages, write_smb(json, flow.messages()));
}

}  // namespace

MetadataCounts write_metadata(JsonLine& json,
                              CertificateWriter& certificates,
                              const proto::FlowSummary& flow) {
    MetadataCounts counts;
    if (flow.messages_size() == 0) {
        return counts;
    }
    for (const Member& member : kMembers) {
        counts.add(write_member(json, flow, member));
    }
    counts.add(write_tls_member(json, certificates, flow));
    counts.add(write_quic_member(json, flow));
    counts.add(write_ssh_member(json, flow));
    counts.add(write_smb_member(json, flow));
    return counts;
}

}  // namespace curlew::collector

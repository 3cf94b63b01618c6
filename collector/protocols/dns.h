#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/json_line.h"

// DNS messages (RFC 1035 section 4), multicast DNS (RFC 6762) and LLMNR (RFC 4795), which have the
// same form.

namespace curlew::collector {

// Types of records (IANA) that have a meaning here.
inline constexpr uint16_t kDnsA = 1;
inline constexpr uint16_t kDnsNs = 2;
inline constexpr uint16_t kDnsCname = 5;
inline constexpr uint16_t kDnsSoa = 6;
inline constexpr uint16_t kDnsPtr = 12;
inline constexpr uint16_t kDnsMx = 15;
inline constexpr uint16_t kDnsTxt = 16;
inline constexpr uint16_t kDnsAaaa = 28;
inline constexpr uint16_t kDnsSrv = 33;
inline constexpr uint16_t kDnsDname = 39;
inline constexpr uint16_t kDnsNsec = 47;

struct DnsQuestion {
    std::string name;  // octets as on the wire, labels joined by dots
    uint16_t type = 0;
};

struct DnsRecord {
    std::string name;
    uint16_t type = 0;
    uint32_t ttl = 0;
    std::string_view data;  // as on the wire, in the message
    std::string text;       // the name in the data of CNAME, PTR, NS, SRV, MX, NSEC; SOA: first
    std::string mailbox;    // SOA
    std::vector<uint32_t> numbers;        // SRV, MX, SOA in the order of the RFC
    std::vector<std::string_view> texts;  // TXT
    std::vector<uint16_t> types;          // NSEC
    bool decoded = false;                 // the data have the form of their type
};

struct DnsMessage {
    uint16_t id = 0;
    bool response = false;
    uint8_t opcode = 0;
    uint8_t response_code = 0;
    std::vector<DnsQuestion> questions;
    std::vector<DnsRecord> answers;
    std::vector<DnsRecord> authorities;
    std::vector<DnsRecord> additionals;
    bool malformed = false;  // contradicts itself; what was read before that is here
    bool cut = false;        // more than is decoded of one message
};

// Of one message the names unfold to at most this much more than its own octets.
inline constexpr size_t kDnsUnfolding = 12;

// `cut`: the message went on behind `octets`, so that an early end is no contradiction. What is
// decoded reaches into `octets`.
DnsMessage decode_dns(std::string_view octets, bool cut);

// "A", "AAAA", ...; the number for types without a name here.
std::string dns_type_name(uint16_t type);

// The members of one message, into an object that is begun.
void write_dns(JsonLine& json, const DnsMessage& message);

}  // namespace curlew::collector

#include "cli/traffic_names.h"

#include <algorithm>
#include <cassert>

#include "cli/traffic_octets.h"

namespace curlew::cli {
namespace {

constexpr uint16_t kTypeAlias = 5;
constexpr uint16_t kTypeText = 16;
constexpr uint16_t kTypeIpv6Address = 28;
constexpr uint16_t kTypeService = 33;
constexpr uint16_t kClassInternet = 1;
constexpr uint16_t kCacheFlush = 0x8000;
constexpr uint16_t kPointer = 0xc000;
constexpr size_t kQuestionCountAt = 4;
constexpr size_t kAnswerCountAt = 6;
constexpr size_t kShortestDhcpOctets = 300;

std::string dhcp_option(uint8_t code, std::string_view value) {
    std::string option;
    put8(option, code);
    return option + counted8(value);
}

std::string dhcp_option32(uint8_t code, uint32_t value) {
    std::string octets;
    put32(octets, value);
    return dhcp_option(code, octets);
}

}  // namespace

DnsMessage::DnsMessage(uint16_t id, uint16_t flags) {
    put16(octets_, id);
    put16(octets_, flags);
    octets_.append(8, '\0');
}

void DnsMessage::count(size_t field) {
    const auto low = static_cast<uint8_t>(octets_[field + 1]);
    assert(low < 0xff);
    octets_[field + 1] = static_cast<char>(low + 1);
}

void DnsMessage::put_name(std::string_view name) {
    while (!name.empty()) {
        if (const auto known = name_offsets_.find(name); known != name_offsets_.end()) {
            put16(octets_, kPointer | known->second);
            return;
        }
        assert(octets_.size() < kPointer);
        name_offsets_.emplace(name, static_cast<uint16_t>(octets_.size()));
        const std::string_view label = name.substr(0, name.find('.'));
        assert(label.size() <= 63);
        octets_ += counted8(label);
        name.remove_prefix(std::min(label.size() + 1, name.size()));
    }
    put8(octets_, 0);
}

void DnsMessage::ask(std::string_view name, uint16_t type) {
    count(kQuestionCountAt);
    put_name(name);
    put16(octets_, type);
    put16(octets_, kClassInternet);
}

size_t DnsMessage::begin_record(const DnsRecordHead& head, uint16_t type) {
    count(kAnswerCountAt + 2 * static_cast<size_t>(head.section));
    put_name(head.name);
    put16(octets_, type);
    put16(octets_, kClassInternet | (head.cache_flush ? kCacheFlush : 0));
    put32(octets_, head.ttl_seconds);
    put16(octets_, 0);
    return octets_.size() - 2;
}

void DnsMessage::end_record(size_t length_at) {
    set16(octets_, length_at, static_cast<uint16_t>(octets_.size() - length_at - 2));
}

void DnsMessage::add_address(const DnsRecordHead& head, uint32_t address) {
    const size_t length_at = begin_record(head, kDnsTypeA);
    put32(octets_, address);
    end_record(length_at);
}

void DnsMessage::add_ipv6_address(const DnsRecordHead& head, const Ipv6Address& address) {
    const size_t length_at = begin_record(head, kTypeIpv6Address);
    octets_.append(address.begin(), address.end());
    end_record(length_at);
}

void DnsMessage::add_alias(const DnsRecordHead& head, std::string_view target) {
    const size_t length_at = begin_record(head, kTypeAlias);
    put_name(target);
    end_record(length_at);
}

void DnsMessage::add_pointer(const DnsRecordHead& head, std::string_view target) {
    const size_t length_at = begin_record(head, kDnsTypePtr);
    put_name(target);
    end_record(length_at);
}

void DnsMessage::add_service(const DnsRecordHead& head, uint16_t port, std::string_view target) {
    const size_t length_at = begin_record(head, kTypeService);
    put32(octets_, 0);  // priority, weight
    put16(octets_, port);
    put_name(target);
    end_record(length_at);
}

void DnsMessage::add_text(const DnsRecordHead& head, std::string_view text) {
    const size_t length_at = begin_record(head, kTypeText);
    octets_ += text;
    end_record(length_at);
}

//    0                   1                   2                   3
//   |     op (1)    |   htype (1)   |   hlen (1)    |   hops (1)    |
//   |                            xid (4)                            |
//   |           secs (2)            |           flags (2)           |
//   |          ciaddr, yiaddr, siaddr, giaddr (4 each)              |
//   |    chaddr (16), sname (64), file (128), options (variable)    |
std::string dhcp_message(DhcpType type, const DhcpFacts& facts) {
    constexpr uint32_t kCookie = 0x63825363;
    constexpr uint32_t kLeaseSeconds = 7200;
    const bool from_server = type == DhcpType::offer || type == DhcpType::acknowledge;
    std::string message;
    put32(message, from_server ? 0x02010600 : 0x01010600);
    put32(message, facts.transaction);
    put32(message, 0);
    put32(message, 0);
    put32(message, from_server ? facts.client_address : 0);
    put32(message, from_server ? facts.server_address : 0);
    put32(message, 0);
    message.append(facts.client_mac.begin(), facts.client_mac.end());
    message.append(10 + 64 + 128, '\0');
    put32(message, kCookie);
    message += dhcp_option(53, std::string(1, static_cast<char>(type)));
    if (from_server) {
        message += dhcp_option32(54, facts.server_address);
        message += dhcp_option32(51, kLeaseSeconds);
        message += dhcp_option32(1, 0xffffff00);
        message += dhcp_option32(3, facts.server_address);
        message += dhcp_option32(6, facts.server_address);
    } else {
        if (type == DhcpType::request) {
            message += dhcp_option32(50, facts.client_address);
            message += dhcp_option32(54, facts.server_address);
        }
        message += dhcp_option(12, facts.host_name);
        message += dhcp_option(55, std::string_view("\x01\x03\x06\x0f\x1c\x2a", 6));
    }
    put8(message, 255);
    message.resize(std::max(message.size(), kShortestDhcpOctets), '\0');
    return message;
}

}  // namespace curlew::cli

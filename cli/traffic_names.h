#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cli/traffic_frames.h"

// Messages by which a host gets an address and names: DNS, multicast DNS, DHCP.

namespace curlew::cli {

inline constexpr uint16_t kDnsTypeA = 1;
inline constexpr uint16_t kDnsTypePtr = 12;
inline constexpr uint16_t kDnsTypeAny = 255;

inline constexpr uint16_t kDnsQuery = 0x0100;   // recursion desired
inline constexpr uint16_t kDnsAnswer = 0x8180;  // and available
inline constexpr uint16_t kMulticastDnsQuery = 0;
inline constexpr uint16_t kMulticastDnsAnswer = 0x8400;  // authoritative

enum class DnsSection : uint8_t { answer, authority, additional };

struct DnsRecordHead {
    DnsSection section = DnsSection::answer;
    std::string_view name;
    uint32_t ttl_seconds = 0;
    bool cache_flush = false;  // RFC 6762 section 10.2
};

// RFC 1035 section 4, names compressed (4.1.4). Requires: questions, then records by section.
class DnsMessage {
  public:
    DnsMessage(uint16_t id, uint16_t flags);

    void ask(std::string_view name, uint16_t type);
    void add_address(const DnsRecordHead& head, uint32_t address);
    void add_ipv6_address(const DnsRecordHead& head, const Ipv6Address& address);
    void add_alias(const DnsRecordHead& head, std::string_view target);
    void add_pointer(const DnsRecordHead& head, std::string_view target);
    void add_service(const DnsRecordHead& head, uint16_t port, std::string_view target);
    // `text` is a list of strings, each behind its length.
    void add_text(const DnsRecordHead& head, std::string_view text);

    const std::string& octets() const noexcept { return octets_; }

  private:
    void put_name(std::string_view name);
    // Returns where the length of the data stands.
    size_t begin_record(const DnsRecordHead& head, uint16_t type);
    void end_record(size_t length_at);
    void count(size_t field);

    std::string octets_;
    std::map<std::string, uint16_t, std::less<>> name_offsets_;
};

enum class DhcpType : uint8_t { discover = 1, offer = 2, request = 3, acknowledge = 5 };

struct DhcpFacts {
    uint32_t transaction = 0;
    MacAddress client_mac = {};
    uint32_t client_address = 0;
    uint32_t server_address = 0;
    std::string_view host_name;
};

// RFC 2131 section 2, of 300 octets at least.
std::string dhcp_message(DhcpType type, const DhcpFacts& facts);

}  // namespace curlew::cli

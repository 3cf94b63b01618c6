#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "probe/port.h"

// A frame as Joy 3.0.3 sees it: Ethernet with up to two tags and IPv4, nothing else, no tunnel
// entered, all lengths from the IP header. The parser of the correct meter sees other things.

namespace curlew::probe {

inline constexpr uint8_t kJoyTcp = 6;
inline constexpr uint8_t kJoyUdp = 17;
inline constexpr size_t kJoyTcpHeader = 20;

// Why Joy has no record of a packet.
enum class JoyVerdict : uint8_t {
    metered,
    not_ethernet,         // another link type, whatever it carries
    not_ipv4,             // another ethertype, or behind more tags than Joy passes
    ip_header_malformed,  // a header or total length below 20, or a total below the header
    ip_truncated,         // a total length above what was captured: Joy drops the packet whole
    count_,
};

// Name as it stands in the ledger, for example "not_ipv4".
const char* name_of(JoyVerdict verdict) noexcept;

// Joy's flow key, of one direction. Ports are 0 unless TCP or UDP.
struct JoyKey {
    uint32_t source = 0;  // IPv4 addresses as numbers
    uint32_t destination = 0;
    uint16_t source_port = 0;
    uint16_t destination_port = 0;
    uint8_t protocol = 0;  // 0: a fragment that is not the first

    auto operator<=>(const JoyKey&) const = default;
    JoyKey reversed() const noexcept {
        return {destination, source, destination_port, source_port, protocol};
    }
};

struct JoyPacket {
    JoyKey key;
    uint64_t time_us = 0;                // since 1970, truncated
    std::span<const uint8_t> ip;         // from the IP header on, by total length
    std::span<const uint8_t> transport;  // all behind the IP header
    std::span<const uint8_t> payload;    // as Joy counts it; all of transport if malformed
    bool malformed = false;              // TCP, UDP or ICMP with a header that cannot be
    bool completed = false;              // octets that were not captured stand as 0
    uint16_t ip_id = 0;
    uint8_t ttl = 0;
};

// Joy's default filter, `ip or vlan`. Requires: Ethernet.
bool passes_joy_filter(const PacketView& view) noexcept;

class JoyPacketReader {
  public:
    // `packet` is written only when the verdict is metered; its spans reach into the view or into
    // this reader, until the next call.
    JoyVerdict read(const PacketView& view, JoyPacket& packet);

  private:
    std::vector<uint8_t> completed_;  // a packet whose last octets were not captured
};

}  // namespace curlew::probe

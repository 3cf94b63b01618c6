#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "probe/joy_tls.h"
#include "proto/joy_protocols.pb.h"

// What one side of a record of Joy 3.0.3 keeps of DNS, HTTP, DHCP and TLS while its packets pass.
// Nothing is decoded here but what decides whether Joy kept it.

namespace curlew::probe {

// One packet as Joy hands it to its protocols. What it took for a retransmission or for malformed
// comes with its transport header in front, which they read as payload. An empty payload counts
// too, it is how a side comes to have a protocol.
struct JoySegment {
    std::span<const uint8_t> payload;
    uint64_t time_us = 0;
    uint16_t source_port = 0;
    uint16_t destination_port = 0;
    uint8_t protocol = 0;  // of IP
    // What Joy took the side for from a payload so far, this packet's included: the well-known
    // port 53, 80 or 443, else 0.
    uint16_t application = 0;
};

class JoyProtocols {
  public:
    void add(const JoySegment& segment);

    // Each fills its message and returns true, or leaves it alone when the side has no such packet.
    bool fill(proto::JoyDns& dns) const;
    bool fill(proto::JoyHttp& http) const;
    bool fill(proto::JoyDhcp& dhcp) const;
    bool fill(proto::JoyTls& tls) const;

  private:
    void add_dns(std::span<const uint8_t> payload);
    void add_http(std::span<const uint8_t> payload);
    void add_dhcp(std::span<const uint8_t> payload);

    // Made when the first packet of the protocol comes.
    std::unique_ptr<proto::JoyDns> dns_;
    std::unique_ptr<proto::JoyHttp> http_;
    std::unique_ptr<proto::JoyDhcp> dhcp_;
    std::unique_ptr<JoyTlsSide> tls_;
    size_t dns_octets_ = 0;
};

}  // namespace curlew::probe

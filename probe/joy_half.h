#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "probe/joy_packet.h"
#include "probe/joy_protocols.h"

// One direction of a flow as Joy 3.0.3 keeps it, for which Joy says flow record. Its quirks are
// meant, each is named where it is made; numbers of 32 bits wrap.

namespace curlew::probe {

inline constexpr size_t kJoyListedPackets = 50;
inline constexpr size_t kJoyIpIds = 50;
inline constexpr size_t kJoyFirstPayloadOctets = 32;
// All flags of a segment that opens a connection, and of its answer.
inline constexpr uint8_t kJoySyn = 2;
inline constexpr uint8_t kJoySynAck = 18;
inline constexpr size_t kJoyTcpOptionOctets = 24;
// Joy's setting of that name: octets kept of a side's first packet.
inline constexpr size_t kJoyIdp = 1300;

// What Joy takes a side for, from its first payloads.
enum class JoyRole : uint8_t { unknown, client, server };

struct JoyIdentity {
    uint16_t application = 0;  // 443, 80, 53; 0: not identified
    JoyRole role = JoyRole::unknown;
};

// `protocol` is that of IP. A DNS query is taken for its server's.
JoyIdentity identify_joy_payload(uint8_t protocol, std::span<const uint8_t> payload) noexcept;

struct JoyListedPacket {
    uint64_t time_us = 0;
    uint16_t payload_octets = 0;
};

struct JoyTcpSegment {
    uint64_t time_us = 0;
    uint32_t sequence = 0;
    uint32_t acknowledgement = 0;
    uint16_t payload_octets = 0;
    uint8_t flags = 0;
    uint8_t option_octets = 0;
    std::array<uint8_t, kJoyTcpOptionOctets> options{};
};

struct JoyTcpFirst {
    uint8_t flags = 0;
    uint32_t sequence = 0;
    uint16_t window = 0;
    std::vector<uint8_t> options;
};

// What the first octet of the first ten segments with payload is like.
struct JoyFirstOctetFacts {
    uint32_t segments = 0;
    uint8_t constant_mask = 0;
    uint8_t constant_value = 0;
    uint8_t counter_mask = 0;
    uint8_t initial = 0;

    void add(uint8_t octet) noexcept;
};

class JoyHalf {
  public:
    explicit JoyHalf(const JoyKey& key, size_t idp = kJoyIdp) : key_(key), idp_(idp) {}

    // Requires: a packet of this key.
    void add(const JoyPacket& packet);

    const JoyKey& key() const noexcept { return key_; }
    uint64_t start_us() const noexcept { return start_us_; }
    uint64_t end_us() const noexcept { return end_us_; }
    JoyRole role() const noexcept { return identity_.role; }
    uint32_t packets() const noexcept { return packets_; }
    uint64_t ip_octets() const noexcept { return ip_octets_; }
    uint32_t payload_octets() const noexcept { return payload_octets_; }
    uint8_t minimum_ttl() const noexcept { return minimum_ttl_; }
    uint32_t invalid() const noexcept { return invalid_; }
    uint32_t retransmissions() const noexcept { return retransmissions_; }
    double byte_mean() const noexcept { return byte_mean_; }
    double byte_squares() const noexcept { return byte_squares_; }
    // 256 counts, or none without payload.
    const std::vector<uint32_t>& byte_counts() const noexcept { return byte_counts_; }
    std::array<int32_t, 4> walsh_sums() const noexcept;
    const std::vector<JoyListedPacket>& listed() const noexcept { return listed_; }
    const std::vector<uint16_t>& ip_ids() const noexcept { return ip_ids_; }
    const std::vector<uint8_t>& first_payload() const noexcept { return first_payload_; }
    const std::vector<uint8_t>& first_packet() const noexcept { return first_packet_; }
    const std::vector<JoyTcpSegment>& segments() const noexcept { return segments_; }
    const JoyTcpFirst& tcp() const noexcept { return tcp_; }
    const JoyFirstOctetFacts& first_octet() const noexcept { return first_octet_; }
    const JoyProtocols* protocols() const noexcept { return protocols_.get(); }

    // About what this takes in memory, never much less.
    size_t memory_octets() const noexcept;

  private:
    // False: Joy takes it for a retransmission.
    bool add_tcp(const JoyPacket& packet);
    void add_tcp_start(std::span<const uint8_t> header);
    void add_segment(std::span<const uint8_t> header, const JoyPacket& packet);
    void add_payload(std::span<const uint8_t> payload, uint64_t time_us);
    void count_octets(std::span<const uint8_t> payload) noexcept;
    void add_walsh(std::span<const uint8_t> payload) noexcept;
    void identify(std::span<const uint8_t> payload) noexcept;
    void add_protocols(std::span<const uint8_t> payload, uint64_t time_us);
    void add_ip(const JoyPacket& packet);

    JoyKey key_;
    size_t idp_;
    JoyIdentity identity_;
    uint8_t minimum_ttl_ = 255;
    uint64_t start_us_ = 0;
    uint64_t end_us_ = 0;
    uint64_t ip_octets_ = 0;
    uint32_t packets_ = 0;
    uint32_t payload_octets_ = 0;
    uint32_t retransmissions_ = 0;
    uint32_t invalid_ = 0;
    uint32_t last_sequence_ = 0;  // of the last data segment that was listed
    double byte_mean_ = 0;
    double byte_squares_ = 0;
    std::array<uint32_t, 4> walsh_{};  // wraps as 32-bit integers do
    JoyFirstOctetFacts first_octet_;
    JoyTcpFirst tcp_;
    std::vector<uint32_t> byte_counts_;
    std::vector<JoyListedPacket> listed_;
    std::vector<uint16_t> ip_ids_;
    std::vector<uint8_t> first_payload_;
    std::vector<uint8_t> first_packet_;
    std::vector<JoyTcpSegment> segments_;
    std::unique_ptr<JoyProtocols> protocols_;
    size_t protocol_octets_ = 0;  // that the protocols were shown
};

}  // namespace curlew::probe

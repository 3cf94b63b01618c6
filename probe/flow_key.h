#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

// A flow's identity without direction: the endpoint that compares lower (address, then port) is
// low. A flow is this whole key, never its hash.

namespace curlew::probe {

struct alignas(16) FlowKey {
    // Network order. An IPv4 address takes the first 4 octets, the rest is 0.
    std::array<uint8_t, 16> low_address{};
    std::array<uint8_t, 16> high_address{};
    uint16_t low_port = 0;  // host order
    uint16_t high_port = 0;
    uint8_t protocol = 0;    // IANA protocol number of the innermost packet
    uint8_t ip_version = 0;  // 4 or 6
    uint16_t vlan = 0;       // 0 unless VLANs are keyed; else id + 1
    uint32_t tunnel_id = 0;  // network identifier + 1, see tunnel.h; 0: in no such network
    uint32_t reserved = 0;   // always 0, so that the key can be compared as octets

    bool operator==(const FlowKey& other) const noexcept;
};

static_assert(sizeof(FlowKey) == 48);

// By words: keys that are compared are nearly always equal, and a call to compare octets costs more
// than it saves.
inline bool FlowKey::operator==(const FlowKey& other) const noexcept {
    using Words = std::array<uint64_t, sizeof(FlowKey) / sizeof(uint64_t)>;
    const auto one = std::bit_cast<Words>(*this);
    const auto two = std::bit_cast<Words>(other);
    uint64_t different = 0;
    for (size_t i = 0; i < one.size(); ++i) {
        different |= one[i] ^ two[i];
    }
    return different == 0;
}

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolIgmp = 2;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmp6 = 58;
inline constexpr uint8_t kProtocolSctp = 132;

inline constexpr uint16_t kDnsPort = 53;

// Its header begins with the sender's and the receiver's port, of 16 bits each.
constexpr bool has_ports(uint8_t protocol) noexcept {
    return protocol == kProtocolTcp || protocol == kProtocolUdp || protocol == kProtocolSctp;
}

}  // namespace curlew::probe

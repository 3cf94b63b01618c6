#include "dpdk_port/frame_length.h"

#include <algorithm>
#include <cstddef>

namespace curlew::dpdk_port {

uint32_t frame_octets_by_ip(std::span<const uint8_t> frame) noexcept {
    constexpr size_t kMostTags = 2;
    constexpr size_t kTagOctets = 4;
    constexpr uint32_t kIpv6Header = 40;
    const auto octets = static_cast<uint32_t>(frame.size());
    const auto read = [frame](size_t at) -> uint32_t {
        return at + 2 <= frame.size() ? static_cast<uint32_t>(frame[at] << 8 | frame[at + 1]) : 0;
    };
    size_t type_at = 12;
    for (size_t tag = 0; tag < kMostTags; ++tag) {
        if (const uint32_t type = read(type_at); type == 0x8100 || type == 0x88a8) {
            type_at += kTagOctets;
        }
    }
    const uint32_t type = read(type_at);
    const auto ip_at = static_cast<uint32_t>(type_at + 2);
    const uint32_t told = type == 0x0800   ? ip_at + read(ip_at + 2)
                          : type == 0x86dd ? ip_at + kIpv6Header + read(ip_at + 4)
                                           : 0;
    return std::max(octets, told);
}

}  // namespace curlew::dpdk_port

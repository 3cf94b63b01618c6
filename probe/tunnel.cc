// Hot path.
#include "probe/tunnel.h"

#include <cstring>

namespace curlew::probe {

StoredTunnel stored_tunnel(const TunnelMark& mark, const uint8_t* frame) noexcept {
    StoredTunnel stored{};
    stored.id = mark.id;
    stored.type = static_cast<uint8_t>(mark.type);
    stored.has_id = static_cast<uint8_t>(mark.has_id);
    if (mark.outer_ip == kNoOuterIp) {
        return stored;
    }
    const uint8_t* const ip = frame + mark.outer_ip;
    const bool ipv4 = ip[0] >> 4 == 4;
    const uint8_t* const source = ip + (ipv4 ? 12 : 8);
    stored.address_octets = ipv4 ? 4 : 16;
    std::memcpy(stored.source.data(), source, stored.address_octets);
    std::memcpy(stored.destination.data(), source + stored.address_octets, stored.address_octets);
    return stored;
}

}  // namespace curlew::probe

#include "probe/tunnel.h"

#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

using namespace curlew::probe;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;

TEST_GROUP(Tunnel){};

TEST(Tunnel, stored_with_the_addresses_of_the_outer_header) {
    const Packet packet =
        PacketBuilder{}.ethernet().ipv4("10.1.2.3", "10.4.5.6").gre().ipv4().udp(1, 2).build();
    TunnelMark mark{};
    mark.id = 7;
    mark.has_id = 1;
    mark.outer_ip = 14;
    mark.type = static_cast<uint8_t>(TunnelType::gre);
    const StoredTunnel stored = stored_tunnel(mark, packet.octets.data());
    LONGS_EQUAL(7, stored.id);
    LONGS_EQUAL(1, stored.has_id);
    LONGS_EQUAL(3, stored.type);
    LONGS_EQUAL(4, stored.address_octets);
    MEMCMP_EQUAL("\x0a\x01\x02\x03", stored.source.data(), 4);
    MEMCMP_EQUAL("\x0a\x04\x05\x06", stored.destination.data(), 4);
}

TEST(Tunnel, label_has_no_addresses) {
    TunnelMark mark{};
    mark.outer_ip = kNoOuterIp;
    mark.type = static_cast<uint8_t>(TunnelType::mpls);
    const StoredTunnel stored = stored_tunnel(mark, nullptr);
    LONGS_EQUAL(0, stored.address_octets);
    LONGS_EQUAL(0, stored.has_id);
}

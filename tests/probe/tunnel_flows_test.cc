#include <functional>
#include <string>
#include <vector>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// A conversation inside any tunnel gives the records that it gives outside.

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

constexpr uint64_t kTunnelStart = 1'500'000'000'000 * kMillisecond;

// What stands before an IP packet of the client, or of the server.
using Wrap = std::function<PacketBuilder(bool from_client)>;

PacketBuilder bare(bool from_client) {
    return from_client ? PacketBuilder{}.ethernet("02:00:00:00:00:01", "02:00:00:00:00:02")
                       : PacketBuilder{}.ethernet("02:00:00:00:00:02", "02:00:00:00:00:01");
}

PacketBuilder outer_ipv4(bool from_client) {
    return from_client ? bare(true).ipv4("10.9.0.1", "10.9.0.2")
                       : bare(false).ipv4("10.9.0.2", "10.9.0.1");
}

PacketBuilder outer_ipv6(bool from_client) {
    return from_client ? bare(true).ipv6("2001:db8:9::1", "2001:db8:9::2")
                       : bare(false).ipv6("2001:db8:9::2", "2001:db8:9::1");
}

std::vector<Packet> conversation(const Wrap& wrap) {
    uint64_t time_ns = kTunnelStart;
    const auto client = [&] {
        return wrap(true)
            .ipv4("192.0.2.7", "198.51.100.1")
            .ip_id(7)
            .time_ns(time_ns += kMillisecond);
    };
    const auto server = [&] {
        return wrap(false)
            .ipv4("198.51.100.1", "192.0.2.7")
            .ttl(9)
            .time_ns(time_ns += kMillisecond);
    };
    const auto client_6 = [&] {
        return wrap(true).ipv6("2001:db8::7", "2001:db8::1").time_ns(time_ns += kMillisecond);
    };
    return {
        client().tcp(40000, 80).flags("S").sequence(1).options({2, 4, 5, 0xb4}).build(),
        server().tcp(80, 40000).flags("SA").sequence(9).acknowledgement(2).build(),
        client().tcp(40000, 80).flags("A").sequence(2).build(),
        client().tcp(40000, 80).flags("PA").payload("GET / HTTP/1.1\r\n\r\n").build(),
        server().tcp(80, 40000).flags("PA").payload("HTTP/1.1 200 OK\r\n\r\n").build(),
        client().tcp(40000, 80).flags("FA").build(),
        server().tcp(80, 40000).flags("FA").build(),
        client().udp(5353, 53).payload(from_hex("1234 0100 0001")).build(),
        client().icmp(8).payload("ping").build(),
        server().icmp(0).payload("ping").build(),
        client().fragment(3, 0, true).udp(1, 2).payload("12345678").build(),
        client().fragment(3, 16, false).protocol(17).payload("rest").build(),
        client_6().udp(6000, 7000).payload("six").build(),
    };
}

std::string text_of(proto::FlowSummary record) {
    record.clear_tunnels();
    record.clear_tunnel_id();
    for (proto::Direction* direction :
         {record.has_forward() ? record.mutable_forward() : nullptr,
          record.has_reverse() ? record.mutable_reverse() : nullptr}) {
        if (direction != nullptr) {
            direction->clear_frame_octets();
            direction->clear_frame_spread();
            direction->clear_source_mac();
            direction->clear_destination_mac();
        }
    }
    return record.SerializeAsString();
}

void check_same_records(const char* name, proto::TunnelType type, const Wrap& wrap) {
    const Metered outside = meter(conversation(bare));
    const Metered inside = meter(conversation(wrap));
    CHECK_EQUAL_TEXT(5u, outside.records.size(), name);
    CHECK_EQUAL_TEXT(outside.records.size(), inside.records.size(), name);
    for (size_t i = 0; i < outside.records.size(); ++i) {
        CHECK_TEXT(text_of(outside.records[i]) == text_of(inside.records[i]), name);
        CHECK_EQUAL_TEXT(1, inside.records[i].tunnels_size(), name);
        CHECK_EQUAL_TEXT(type, inside.records[i].tunnels(0).type(), name);
        CHECK_EQUAL_TEXT(0, outside.records[i].tunnels_size(), name);
    }
    CHECK_EQUAL_TEXT(13u, inside.packets.by_note[6], name);
    CHECK_EQUAL_TEXT(outside.packets.octets_metered, inside.packets.octets_metered, name);
}

Wrap udp(uint16_t port, const std::function<PacketBuilder(PacketBuilder&, bool)>& tunnel) {
    return [=](bool from_client) {
        PacketBuilder builder = outer_ipv4(from_client).udp(from_client ? 50001 : 50002, port);
        return tunnel(builder, from_client);
    };
}

}  // namespace

TEST_GROUP(TunnelFlows){};

TEST(TunnelFlows, labels_and_sessions) {
    check_same_records("mpls", proto::TUNNEL_TYPE_MPLS, [](bool from_client) {
        return bare(from_client).mpls(from_client ? 16 : 17, false).mpls(from_client ? 100 : 200);
    });
    check_same_records("pseudowire", proto::TUNNEL_TYPE_MPLS, [](bool from_client) {
        return bare(from_client).mpls(7).header(from_hex("00000000")).ethernet();
    });
    check_same_records("pppoe in vlan", proto::TUNNEL_TYPE_PPPOE, [](bool from_client) {
        return bare(from_client).pppoe(5).ppp(false);
    });
}

TEST(TunnelFlows, gre_and_its_kin) {
    check_same_records("gre", proto::TUNNEL_TYPE_GRE, [](bool from_client) {
        // Keys differ by direction.
        return outer_ipv4(from_client)
            .gre({0x20, 0}, from_client ? from_hex("00000001") : from_hex("00000002"));
    });
    check_same_records("gre over ipv6", proto::TUNNEL_TYPE_GRE, [](bool from_client) {
        return outer_ipv6(from_client).gre();
    });
    check_same_records("bridged", proto::TUNNEL_TYPE_GRE, [](bool from_client) {
        return outer_ipv4(from_client).gre().ethernet();
    });
    check_same_records("pptp", proto::TUNNEL_TYPE_PPTP, [](bool from_client) {
        // Calls differ by direction; the payload length is not looked at.
        return outer_ipv4(from_client)
            .gre({0x30, 1}, from_hex(from_client ? "00000001 00000000" : "00000002 00000000"))
            .ppp();
    });
    check_same_records("erspan", proto::TUNNEL_TYPE_ERSPAN, [](bool from_client) {
        return outer_ipv4(from_client)
            .protocol(47)
            .header(from_hex("1000 88be 00000001 1064 0021 00000000"))
            .ethernet();
    });
}

TEST(TunnelFlows, over_udp) {
    check_same_records("vxlan", proto::TUNNEL_TYPE_VXLAN, udp(4789, [](PacketBuilder& outer, bool) {
                           return outer.vxlan(0).ethernet();
                       }));
    check_same_records(
        "geneve", proto::TUNNEL_TYPE_GENEVE, udp(6081, [](PacketBuilder& outer, bool) {
            return outer.geneve(9, from_hex("0102 80 01 00000001")).ethernet();
        }));
    check_same_records(
        "gtp", proto::TUNNEL_TYPE_GTP_U, udp(2152, [](PacketBuilder& outer, bool from_client) {
            return outer.gtp_user(from_client ? 1000 : 2000, from_hex("0001 00 00"));
        }));
    check_same_records(
        "l2tp", proto::TUNNEL_TYPE_L2TP, udp(1701, [](PacketBuilder& outer, bool from_client) {
            return outer.header(from_hex(from_client ? "0002 0001 0001" : "0002 0002 0002")).ppp();
        }));
}

TEST(TunnelFlows, ip_in_ip) {
    check_same_records("ipv4", proto::TUNNEL_TYPE_IP_IN_IP, outer_ipv4);
    check_same_records("ipv6", proto::TUNNEL_TYPE_IP_IN_IP, outer_ipv6);
    check_same_records("ether_ip", proto::TUNNEL_TYPE_ETHER_IP, [](bool from_client) {
        return outer_ipv4(from_client).protocol(97).header(from_hex("3000")).ethernet();
    });
}

TEST(TunnelFlows, networks_with_equal_addresses_are_apart) {
    const auto network = [](uint32_t id) {
        return udp(4789, [id](PacketBuilder& outer, bool) { return outer.vxlan(id).ethernet(); });
    };
    std::vector<Packet> packets = conversation(network(1));
    const std::vector<Packet> more = conversation(network(2));
    packets.insert(packets.end(), more.begin(), more.end());
    const Metered metered = meter(packets);
    CHECK_EQUAL(10u, metered.records.size());
    CHECK_EQUAL(2u, metered.records[0].tunnel_id());
}

TEST(TunnelFlows, outer_addresses_are_as_the_initiator_sends) {
    // The server's packet comes first.
    std::vector<Packet> packets{outer_ipv4(false)
                                    .gre({0x20, 0}, from_hex("00000002"))
                                    .ipv4("198.51.100.1", "192.0.2.7")
                                    .tcp(80, 40000)
                                    .flags("SA")
                                    .build(),
                                outer_ipv4(true)
                                    .gre({0x20, 0}, from_hex("00000001"))
                                    .ipv4("192.0.2.7", "198.51.100.1")
                                    .tcp(40000, 80)
                                    .flags("A")
                                    .time_ns(1)
                                    .build()};
    const Metered metered = meter(packets);
    CHECK_EQUAL(1u, metered.records.size());
    const proto::Tunnel& tunnel = metered.records[0].tunnels(0);
    CHECK(std::string({10, 9, 0, 1}) == tunnel.source_address());
    CHECK(std::string({10, 9, 0, 2}) == tunnel.destination_address());
    CHECK_EQUAL(2u, tunnel.id());
}

TEST(TunnelFlows, tunnels_stay_with_every_record_of_a_flow_and_over_threads) {
    std::vector<Packet> packets;
    for (uint64_t seconds = 0; seconds < 700; seconds += 50) {
        packets.push_back(outer_ipv4(true)
                              .gre()
                              .ipv4("192.0.2.7", "198.51.100.1")
                              .udp(1000, 2000)
                              .payload("x")
                              .time_ns(kTunnelStart + seconds * 1000 * kMillisecond)
                              .build());
    }
    DispatcherConfig config;
    config.workers = 2;
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(2u, metered.records.size());
    for (const proto::FlowSummary& record : metered.records) {
        CHECK_EQUAL(1, record.tunnels_size());
        CHECK(std::string({10, 9, 0, 1}) == record.tunnels(0).source_address());
        CHECK_EQUAL(1u, record.forward().source_mac()[5]);
    }
}

TEST(TunnelFlows, tunnels_too_deep_are_told_by_the_record) {
    PacketBuilder builder = outer_ipv4(true);
    for (int i = 0; i < 4; ++i) {
        builder.ipv4("10.8.0.1", "10.8.0.2");
    }
    const Metered metered =
        meter({builder.ipv4("192.0.2.7", "198.51.100.1").udp(1, 2).payload("x").build()});
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(4u, metered.records[0].protocol_identifier());
    CHECK_EQUAL(4, metered.records[0].tunnels_size());
    CHECK((metered.records[0].quality() & proto::QUALITY_TUNNEL_TOO_DEEP) != 0);
    CHECK_EQUAL(1u, metered.packets.by_note[7]);
}

#include "collector/tunnel_fields.h"

#include <string>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using namespace std::string_literals;

proto::Tunnel& add_tunnel(proto::FlowSummary& flow, proto::TunnelType type) {
    proto::Tunnel& tunnel = *flow.add_tunnels();
    tunnel.set_type(type);
    return tunnel;
}

std::string written_tunnels(const proto::FlowSummary& flow) {
    JsonLine json;
    json.clear();
    json.start_object();
    write_tunnels(json, flow);
    json.end_object();
    return std::string(json.finish());
}

}  // namespace

TEST_GROUP(TunnelFields){};

TEST(TunnelFields, outermost_first_with_what_each_has) {
    proto::FlowSummary flow = small_flow();
    STRCMP_EQUAL("{}\n", written_tunnels(flow).c_str());
    add_tunnel(flow, proto::TUNNEL_TYPE_MPLS).set_id(100);
    proto::Tunnel& teredo = add_tunnel(flow, proto::TUNNEL_TYPE_TEREDO);
    teredo.set_source_address("\x0a\0\0\1"s);
    teredo.set_destination_address("\x0a\0\0\2"s);
    STRCMP_EQUAL(
        R"({"tunnel":[{"type":"mpls","id":100},{"type":"teredo","sa":"10.0.0.1","da":"10.0.0.2"}]})"
        "\n",
        written_tunnels(flow).c_str());
}

TEST(TunnelFields, every_type_has_a_name) {
    for (int type = proto::TunnelType_MIN; type <= proto::TunnelType_MAX; ++type) {
        CHECK_FALSE(tunnel_type_name(static_cast<proto::TunnelType>(type)).empty());
    }
    CHECK_TRUE(tunnel_type_name(static_cast<proto::TunnelType>(99)).empty());
}

TEST(TunnelFields, the_innermost_network_is_keyed) {
    proto::FlowSummary flow = small_flow();
    CHECK_EQUAL(0u, keyed_tunnel_id(flow));
    add_tunnel(flow, proto::TUNNEL_TYPE_GENEVE).set_id(4);
    add_tunnel(flow, proto::TUNNEL_TYPE_VXLAN).set_id(0);
    add_tunnel(flow, proto::TUNNEL_TYPE_GRE).set_id(9);
    CHECK_EQUAL(1u, keyed_tunnel_id(flow));
    for (int type = proto::TunnelType_MIN; type <= proto::TunnelType_MAX; ++type) {
        const auto one = static_cast<proto::TunnelType>(type);
        CHECK_EQUAL(is_keyed_tunnel(one), is_keyed_tunnel(tunnel_type_name(one)));
    }
}

}  // namespace curlew::collector

#include "collector/tunnel_fields.h"

#include "collector/wire_text.h"

namespace curlew::collector {

std::string_view tunnel_type_name(proto::TunnelType type) {
    switch (type) {
        case proto::TUNNEL_TYPE_UNSPECIFIED:
            return "unknown";
        case proto::TUNNEL_TYPE_MPLS:
            return "mpls";
        case proto::TUNNEL_TYPE_PPPOE:
            return "pppoe";
        case proto::TUNNEL_TYPE_GRE:
            return "gre";
        case proto::TUNNEL_TYPE_PPTP:
            return "pptp";
        case proto::TUNNEL_TYPE_ERSPAN:
            return "erspan";
        case proto::TUNNEL_TYPE_VXLAN:
            return "vxlan";
        case proto::TUNNEL_TYPE_GENEVE:
            return "geneve";
        case proto::TUNNEL_TYPE_GTP_U:
            return "gtp_u";
        case proto::TUNNEL_TYPE_IP_IN_IP:
            return "ip_in_ip";
        case proto::TUNNEL_TYPE_TEREDO:
            return "teredo";
        case proto::TUNNEL_TYPE_ETHER_IP:
            return "ether_ip";
        case proto::TUNNEL_TYPE_L2TP:
            return "l2tp";
        default:
            return {};
    }
}

bool is_keyed_tunnel(proto::TunnelType type) {
    return type == proto::TUNNEL_TYPE_VXLAN || type == proto::TUNNEL_TYPE_GENEVE ||
           type == proto::TUNNEL_TYPE_UNSPECIFIED;
}

bool is_keyed_tunnel(std::string_view type_name) {
    return type_name == "vxlan" || type_name == "geneve" || type_name == "unknown";
}

uint32_t keyed_tunnel_id(const proto::FlowSummary& flow) {
    uint32_t id = 0;
    for (const proto::Tunnel& tunnel : flow.tunnels()) {
        id = is_keyed_tunnel(tunnel.type()) ? tunnel.id() + 1 : id;
    }
    return id;
}

void write_tunnels(JsonLine& json, const proto::FlowSummary& flow) {
    if (flow.tunnels_size() == 0) {
        return;
    }
    json.key("tunnel");
    json.start_array();
    for (const proto::Tunnel& tunnel : flow.tunnels()) {
        json.start_object();
        json.text("type", tunnel_type_name(tunnel.type()));
        if (tunnel.has_id()) {
            json.number("id", tunnel.id());
        }
        if (!tunnel.source_address().empty()) {
            json.text("sa", address_text(tunnel.source_address()));
            json.text("da", address_text(tunnel.destination_address()));
        }
        json.end_object();
    }
    json.end_array();
}

}  // namespace curlew::collector

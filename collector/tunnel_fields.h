#pragma once

#include <cstdint>
#include <string_view>

#include "collector/json_line.h"
#include "proto/flow.pb.h"

// What a record says of the tunnels around its packets.

namespace curlew::collector {

// Name of the type in records: "vxlan", "gtp_u", ...; empty for a number that is none.
std::string_view tunnel_type_name(proto::TunnelType type);

// The identifiers that are part of a flow's key name a network of 24 bits; of several the innermost
// counts, and in the key it stands with 1 added.
bool is_keyed_tunnel(proto::TunnelType type);
bool is_keyed_tunnel(std::string_view type_name);
inline constexpr uint32_t kLargestKeyedTunnel = 0xffffff;

// What the tunnels say that the key's part is.
uint32_t keyed_tunnel_id(const proto::FlowSummary& flow);

// tunnel, unless there is none. Requires: the flow passed the batch decoder.
void write_tunnels(JsonLine& json, const proto::FlowSummary& flow);

}  // namespace curlew::collector

#pragma once

#include "collector/json_line.h"
#include "collector/record_writer.h"
#include "proto/flow.pb.h"

// The parts of a record that tell of its packets, each a run of keys in the order of the record.
// For record_writer.cc; all require a flow that passed the batch decoder.

namespace curlew::collector {

void write_packet_list(JsonLine& json, const proto::FlowSummary& flow);

// byte_dist, byte_dist_mean, byte_dist_std, entropy, total_entropy, wht.
void write_payload_numbers(JsonLine& json, const proto::FlowSummary& flow, FieldSet fields);

void write_ip(JsonLine& json, const proto::FlowSummary& flow, FieldSet fields);
void write_tcp(JsonLine& json, const proto::FlowSummary& flow);
void write_first_payloads(JsonLine& json, const proto::FlowSummary& flow);

// idp_out, idp_len_out, idp_in, idp_len_in.
void write_first_packets(JsonLine& json, const proto::FlowSummary& flow);

// octets, frame_octets, mac, vlan, tunnel, icmp.
void write_link_layer(JsonLine& json, const proto::FlowSummary& flow);

}  // namespace curlew::collector

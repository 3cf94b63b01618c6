#include "tests/collector/joy_records.h"

#include <algorithm>

namespace curlew::collector {
namespace {

constexpr uint64_t kStartUs = 1'545'661'851'869'217;
const std::string kOne("\x0a\0\0\x01", 4);
const std::string kOther("\x0a\0\0\x02", 4);

void fill(proto::JoySide& side, bool out) {
    side.set_source_address(out ? kOne : kOther);
    side.set_destination_address(out ? kOther : kOne);
    side.set_source_port(out ? 1000 : 80);
    side.set_destination_port(out ? 80 : 1000);
    side.set_start_us(out ? kStartUs : kStartUs + 500);
    side.set_end_us(side.start_us());
    side.set_packets(1);
    side.set_minimum_ttl(out ? 64 : 57);
    side.add_ip_ids(out ? 7 : 8);
}

}  // namespace

proto::FlowSummary joy_flow() {
    proto::FlowSummary flow;
    flow.set_initiator_address(kOne);
    flow.set_responder_address(kOther);
    flow.set_initiator_port(1000);
    flow.set_responder_port(80);
    flow.set_protocol_identifier(6);
    flow.set_flow_start_ns(kStartUs * 1000);
    flow.set_flow_end_ns(kStartUs * 1000);
    flow.set_first_record_start_ns(kStartUs * 1000);
    flow.set_flow_end_reason(proto::FLOW_END_REASON_FORCED_END);
    flow.mutable_forward()->set_packets(1);
    flow.set_published_ttl_out(64);
    fill(*flow.mutable_joy()->mutable_record(), true);
    flow.mutable_joy()->set_time_start_us(kStartUs);
    flow.mutable_joy()->set_time_end_us(kStartUs);
    return flow;
}

proto::FlowSummary joy_flow_with_twin() {
    proto::FlowSummary flow = joy_flow();
    fill(*flow.mutable_joy()->mutable_twin(), false);
    flow.mutable_joy()->set_time_end_us(kStartUs + 500);
    flow.mutable_reverse()->set_packets(1);
    flow.set_published_ttl_in(57);
    return flow;
}

void add_joy_packet(proto::JoySide& side, uint64_t after_us, uint32_t octets) {
    side.mutable_listed()->add_time_us(side.start_us() + after_us);
    side.mutable_listed()->add_payload_octets(octets);
}

void count_joy_octets(proto::JoySide& side, const std::string& payload) {
    if (side.byte_counts_size() == 0) {
        side.mutable_byte_counts()->Resize(256, 0);
        side.mutable_walsh_sums()->Resize(4, 0);
    }
    for (const char octet : payload) {
        const int at = static_cast<uint8_t>(octet);
        side.set_byte_counts(at, side.byte_counts(at) + 1);
    }
    side.set_payload_octets(side.payload_octets() + static_cast<uint32_t>(payload.size()));
}

void add_joy_segment(proto::JoySide& side,
                     uint64_t after_us,
                     uint32_t sequence,
                     uint32_t acknowledgement,
                     uint32_t flags,
                     const std::string& options) {
    proto::JoySegments& segments = *side.mutable_segments();
    segments.add_time_us(side.start_us() + after_us);
    segments.add_sequence_number(sequence);
    segments.add_acknowledgement_number(acknowledgement);
    segments.add_flags(flags);
    segments.add_payload_octets(0);
    segments.add_option_octets(static_cast<uint32_t>(options.size()));
    segments.mutable_options()->append(options.substr(0, 24));
}

}  // namespace curlew::collector

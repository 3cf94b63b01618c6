#include "probe/joy_summary.h"

#include <algorithm>
#include <string>
#include <vector>

namespace curlew::probe {

namespace {

std::string address_of(uint32_t address) {
    return {static_cast<char>(address >> 24),
            static_cast<char>(address >> 16),
            static_cast<char>(address >> 8),
            static_cast<char>(address)};
}

void set_octets(const std::vector<uint8_t>& octets, std::string* to) {
    to->assign(octets.begin(), octets.end());
}

void fill_listed(const JoyHalf& half, proto::JoySide& side) {
    for (const JoyListedPacket& packet : half.listed()) {
        side.mutable_listed()->add_time_us(packet.time_us);
        side.mutable_listed()->add_payload_octets(packet.payload_octets);
    }
}

void fill_payload_numbers(const JoyHalf& half, proto::JoySide& side) {
    if (half.byte_counts().empty()) {
        return;
    }
    side.mutable_byte_counts()->Add(half.byte_counts().begin(), half.byte_counts().end());
    side.set_byte_mean(half.byte_mean());
    side.set_byte_squares(half.byte_squares());
    for (const int32_t sum : half.walsh_sums()) {
        side.add_walsh_sums(sum);
    }
    set_octets(half.first_payload(), side.mutable_first_payload());
    set_octets(half.first_packet(), side.mutable_first_packet());
}

void fill_tcp(const JoyHalf& half, proto::JoySide& side) {
    const JoyTcpFirst& tcp = half.tcp();
    if (tcp.flags != 0) {
        proto::JoyTcpStart& start = *side.mutable_tcp_start();
        start.set_flags(tcp.flags);
        start.set_sequence_number(tcp.sequence);
        start.set_window_size(tcp.window);
        set_octets(tcp.options, start.mutable_options());
    }
    for (const JoyTcpSegment& segment : half.segments()) {
        proto::JoySegments& list = *side.mutable_segments();
        list.add_time_us(segment.time_us);
        list.add_sequence_number(segment.sequence);
        list.add_acknowledgement_number(segment.acknowledgement);
        list.add_flags(segment.flags);
        list.add_payload_octets(segment.payload_octets);
        list.add_option_octets(segment.option_octets);
        const size_t kept = std::min<size_t>(segment.option_octets, kJoyTcpOptionOctets);
        list.mutable_options()->append(segment.options.begin(),
                                       segment.options.begin() + static_cast<ptrdiff_t>(kept));
    }
    const JoyFirstOctetFacts& octet = half.first_octet();
    if (octet.segments != 0) {
        proto::JoyFirstOctet& first = *side.mutable_first_octet();
        first.set_segments(octet.segments);
        first.set_constant_mask(octet.constant_mask);
        first.set_constant_value(octet.constant_value);
        first.set_counter_mask(octet.counter_mask);
        first.set_initial(octet.initial);
    }
}

// A message that has nothing to say is not there.
void fill_protocols(const JoyProtocols& protocols, proto::JoySide& side) {
    if (!protocols.fill(*side.mutable_dns())) {
        side.clear_dns();
    }
    if (!protocols.fill(*side.mutable_http())) {
        side.clear_http();
    }
    if (!protocols.fill(*side.mutable_dhcp())) {
        side.clear_dhcp();
    }
    if (!protocols.fill(*side.mutable_tls())) {
        side.clear_tls();
    }
}

void fill_side(const JoyHalf& half, proto::JoySide& side) {
    side.set_source_address(address_of(half.key().source));
    side.set_destination_address(address_of(half.key().destination));
    side.set_source_port(half.key().source_port);
    side.set_destination_port(half.key().destination_port);
    side.set_start_us(half.start_us());
    side.set_end_us(half.end_us());
    side.set_packets(half.packets());
    side.set_payload_octets(half.payload_octets());
    fill_listed(half, side);
    fill_payload_numbers(half, side);
    side.set_minimum_ttl(half.minimum_ttl());
    side.mutable_ip_ids()->Add(half.ip_ids().begin(), half.ip_ids().end());
    fill_tcp(half, side);
    side.set_retransmissions(half.retransmissions());
    side.set_invalid(half.invalid());
    if (half.protocols() != nullptr) {
        fill_protocols(*half.protocols(), side);
    }
}

void fill_direction(const JoyHalf& half, proto::Direction& direction) {
    direction.set_packets(half.packets());
    direction.set_octets(half.ip_octets());
    direction.set_payload_octets(half.payload_octets());
    direction.set_minimum_ttl(half.minimum_ttl());
}

proto::DirectionSource source_of(JoyDirectionSource source) {
    switch (source) {
        case JoyDirectionSource::payload:
            return proto::DIRECTION_SOURCE_PAYLOAD;
        case JoyDirectionSource::syn:
            return proto::DIRECTION_SOURCE_SYN;
        case JoyDirectionSource::synack:
            return proto::DIRECTION_SOURCE_SYNACK;
        case JoyDirectionSource::first_packet:
            break;
    }
    return proto::DIRECTION_SOURCE_FIRST_PACKET;
}

// The letter is stored in the older side and printed from the side printed first.
proto::JoyExpiry expiry_of(FlowEndReason reason, bool older_first) {
    if (!older_first) {
        return proto::JOY_EXPIRY_NONE;
    }
    switch (reason) {
        case FlowEndReason::active_timeout:
            return proto::JOY_EXPIRY_ACTIVE;
        case FlowEndReason::idle_timeout:
            return proto::JOY_EXPIRY_INACTIVE;
        default:
            return proto::JOY_EXPIRY_NONE;
    }
}

void fill_identity(const JoyOrientation& found,
                   const JoyRecordFacts& facts,
                   proto::FlowSummary& summary) {
    const JoyHalf& record = *found.record;
    summary.set_initiator_address(address_of(record.key().source));
    summary.set_responder_address(address_of(record.key().destination));
    summary.set_initiator_port(record.key().source_port);
    summary.set_responder_port(record.key().destination_port);
    summary.set_protocol_identifier(record.key().protocol);
    summary.set_direction_source(source_of(found.source));
    summary.set_flow_start_ns(found.start_us * 1000);
    summary.set_flow_end_ns(found.end_us * 1000);
    summary.set_flow_end_reason(static_cast<proto::FlowEndReason>(facts.end_reason));
    summary.set_first_record_start_ns(facts.first_start_us * 1000);
    summary.set_record_number(facts.record_number);
    fill_direction(record, *summary.mutable_forward());
    summary.set_published_ttl_out(record.minimum_ttl());
    if (found.twin != nullptr) {
        fill_direction(*found.twin, *summary.mutable_reverse());
        summary.set_published_ttl_in(found.twin->minimum_ttl());
    }
}

}  // namespace

void summarize(const JoyFlow& flow, const JoyRecordFacts& facts, proto::FlowSummary& summary) {
    summary.Clear();
    const JoyOrientation found = orient(flow);
    fill_identity(found, facts, summary);
    proto::JoyRecord& joy = *summary.mutable_joy();
    joy.set_output_ordinal(facts.output_ordinal);
    joy.set_time_start_us(found.start_us);
    joy.set_time_end_us(found.end_us);
    joy.set_expiry(expiry_of(facts.end_reason, found.record == &flow.older));
    fill_side(*found.record, *joy.mutable_record());
    if (found.twin != nullptr) {
        fill_side(*found.twin, *joy.mutable_twin());
    }
}

}  // namespace curlew::probe

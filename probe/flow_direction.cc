#include "probe/flow_direction.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace curlew::probe {

namespace {

// Of two ports the one below is who was called: of services that are assigned, then below what
// systems give to those who call (RFC 6335 section 6 from 49152 on, Linux from 32768 on).
constexpr uint16_t kPortBounds[] = {1024, 32768};
// The published exporter looked at a side's payloads while it had noted at most two.
constexpr uint8_t kIdentifiedPackets = 2;

bool begins_with(std::span<const uint8_t> payload, std::string_view text) noexcept {
    return payload.size() >= text.size() &&
           std::memcmp(payload.data(), text.data(), text.size()) == 0;
}

PublishedRole published_tcp_role(std::span<const uint8_t> payload) noexcept {
    if (payload.size() >= 6 && payload[0] == 0x16 && payload[1] == 0x03 && payload[2] >= 1 &&
        payload[2] <= 3 && (payload[5] == 1 || payload[5] == 2)) {
        return payload[5] == 1 ? PublishedRole::client : PublishedRole::server;
    }
    constexpr std::array<std::string_view, 8> kMethods{
        "GET ", "POST ", "OPTIONS ", "HEAD ", "PUT ", "DELETE ", "TRACE ", "CONNECT "};
    for (const std::string_view method : kMethods) {
        if (begins_with(payload, method)) {
            return PublishedRole::client;
        }
    }
    return begins_with(payload, "HTTP/1.1 ") ? PublishedRole::server : PublishedRole::none;
}

bool is_dns_question(std::span<const uint8_t> payload) noexcept {
    // RFC 1035 section 4.1.1: QR is the first bit of the third octet.
    return payload.size() >= 12 && (payload[2] & 0x80) == 0;
}

// The side that a payload shows to be the client: 0 or 1, 2 when nothing does.
size_t client_side(const FlowWarm& warm) noexcept {
    for (const size_t side : {size_t{0}, size_t{1}}) {
        if (warm.client_payload[side] != 0 && warm.client_payload[1 - side] == 0) {
            return side;
        }
    }
    return 2;
}

size_t initiator_of(const FlowHot& hot, FlowWarm& warm) noexcept {
    const size_t first = (hot.state & kStateFirstFromHigh) != 0 ? 1 : 0;
    const auto decided = [&warm](DirectionSource source, size_t side) {
        warm.direction_source = static_cast<uint8_t>(source);
        return side;
    };
    if (hot.key.protocol == kProtocolTcp) {
        const bool low_syn = warm.beginning[0] == kTcpSyn;
        const bool high_syn = warm.beginning[1] == kTcpSyn;
        if (low_syn != high_syn) {
            return decided(DirectionSource::syn, high_syn ? 1 : 0);
        }
        if (low_syn && high_syn) {
            return decided(DirectionSource::syn, first);
        }
        const bool low_answered = warm.beginning[0] == kTcpSynAck;
        const bool high_answered = warm.beginning[1] == kTcpSynAck;
        if (low_answered != high_answered) {
            return decided(DirectionSource::synack, low_answered ? 1 : 0);
        }
    }
    if (const size_t client = client_side(warm); client != 2) {
        return decided(DirectionSource::payload, client);
    }
    if (hot.key.protocol == kProtocolTcp) {
        for (const uint16_t bound : kPortBounds) {
            const bool is_low_called = hot.key.low_port < bound;
            if (is_low_called != (hot.key.high_port < bound)) {
                return decided(DirectionSource::port, is_low_called ? 1 : 0);
            }
        }
    }
    return decided(DirectionSource::first_packet, first);
}

// joy-3.0.3, p2f.c: client, server, exact SYN, exact SYN+ACK, then the earlier first packet.
size_t published_sender(const FlowHot& hot, const FlowWarm& warm) noexcept {
    const size_t first = (hot.state & kStateFirstFromHigh) != 0 ? 1 : 0;
    const size_t other = 1 - first;
    if (hot.packets[other] == 0) {
        return first;
    }
    for (const size_t side : {first, other}) {
        if (warm.published_role[side] == PublishedRole::client) {
            return side;
        }
    }
    for (const size_t side : {first, other}) {
        if (warm.published_role[side] == PublishedRole::server) {
            return 1 - side;
        }
    }
    if (hot.key.protocol == kProtocolTcp) {
        for (const size_t side : {first, other}) {
            if (warm.published_syn[side] == kTcpSyn && warm.published_syn[1 - side] != kTcpSyn) {
                return side;
            }
        }
        for (const size_t side : {first, other}) {
            if (warm.published_syn[side] == kTcpSynAck &&
                warm.published_syn[1 - side] != kTcpSynAck) {
                return 1 - side;
            }
        }
    }
    // It saw microseconds, and on a tie took the record that was made later.
    return warm.first_ns[other] / 1000 <= warm.first_ns[first] / 1000 ? other : first;
}

}  // namespace

PublishedRole published_role(uint8_t protocol, std::span<const uint8_t> payload) noexcept {
    if (protocol == kProtocolTcp) {
        return published_tcp_role(payload);
    }
    if (protocol == kProtocolUdp && payload.size() >= 8) {
        constexpr std::array<uint8_t, 6> kQuery{0x01, 0x00, 0x00, 0x01, 0x00, 0x00};
        if (std::memcmp(payload.data() + 2, kQuery.data(), kQuery.size()) == 0) {
            return PublishedRole::server;
        }
    }
    return PublishedRole::none;
}

void observe_direction(FlowWarm& warm, const ParsedPacket& packet, bool first_record) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    if (first_record && warm.first_ns[side] == 0) {
        warm.first_ns[side] = std::max<uint64_t>(packet.time_ns, 1);
    }
    if (warm.beginning[side] == 0) {
        warm.beginning[side] = tcp_beginning(packet.tcp_flags);
    }
    // The published exporter knew no ECN: other flags beside hid a SYN from it.
    if (warm.published_syn[side] == 0 && tcp_beginning(packet.tcp_flags) == packet.tcp_flags) {
        warm.published_syn[side] = packet.tcp_flags;
    }
    // The middle of a fragmented datagram is no message's beginning.
    if (packet.payload_captured_octets == 0 || packet.transport == nullptr) {
        return;
    }
    const std::span<const uint8_t> payload(packet.payload, packet.payload_captured_octets);
    if (warm.data_packets[side] <= kIdentifiedPackets) {
        if (warm.published_role[side] == PublishedRole::none) {
            warm.published_role[side] = published_role(packet.key.protocol, payload);
        }
        const uint16_t receiver = packet.from_low ? packet.key.high_port : packet.key.low_port;
        const uint16_t sender = packet.from_low ? packet.key.low_port : packet.key.high_port;
        if (packet.key.protocol == kProtocolTcp) {
            const PublishedRole role = warm.published_role[side];
            warm.client_payload[side] |= role == PublishedRole::client ? 1 : 0;
            warm.client_payload[1 - side] |= role == PublishedRole::server ? 1 : 0;
        } else if (receiver == kDnsPort && sender != kDnsPort && is_dns_question(payload)) {
            warm.client_payload[side] = 1;
        } else if (sender == kDnsPort && receiver != kDnsPort && payload.size() >= 12) {
            warm.client_payload[1 - side] = 1;
        }
        ++warm.data_packets[side];
    }
}

bool has_told_payloads(const FlowWarm& warm, size_t side) noexcept {
    return warm.data_packets[side] > kIdentifiedPackets;
}

void decide_direction(const FlowHot& hot, FlowWarm& warm) noexcept {
    if (warm.direction_decided != 0) {
        return;
    }
    warm.direction_decided = 1;
    const size_t initiator = initiator_of(hot, warm);
    const size_t published = published_sender(hot, warm);
    warm.initiator_is_high = static_cast<uint8_t>(initiator);
    warm.published_reversed = published != initiator ? 1 : 0;
    warm.published_ttl_out = hot.packets[published] != 0 ? hot.ttl_minimum[published] : 0;
    warm.published_answered = hot.packets[1 - published] != 0 ? 1 : 0;
    warm.published_ttl_in = warm.published_answered != 0 ? hot.ttl_minimum[1 - published] : 0;
}

}  // namespace curlew::probe

#include "probe/joy_half.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <string_view>

#include "probe/network_order.h"

namespace curlew::probe {

namespace {

// Payloads after which a side is no more looked at to identify it.
constexpr size_t kIdentifiedPackets = 2;
// Segments that describe the first octet.
constexpr uint32_t kDescribedSegments = 10;
// More than the protocols keep of a side, whatever passes.
constexpr size_t kMostProtocolOctets = 128 * 1024;

bool begins_with(std::span<const uint8_t> payload, std::string_view text) noexcept {
    return payload.size() >= text.size() &&
           std::equal(text.begin(), text.end(), payload.begin(), [](char letter, uint8_t octet) {
               return static_cast<uint8_t>(letter) == octet;
           });
}

// A handshake record of TLS 1.0 to 1.2 by its number, with a hello at its front.
JoyIdentity identify_tls(std::span<const uint8_t> payload) noexcept {
    if (payload.size() < 6 || payload[0] != 0x16 || payload[1] != 3 || payload[2] < 1 ||
        payload[2] > 3) {
        return {};
    }
    if (payload[5] == 1) {
        return {443, JoyRole::client};
    }
    return payload[5] == 2 ? JoyIdentity{443, JoyRole::server} : JoyIdentity{};
}

JoyIdentity identify_http(std::span<const uint8_t> payload) noexcept {
    constexpr std::string_view kMethods[] = {
        "GET ", "POST ", "OPTIONS ", "HEAD ", "PUT ", "DELETE ", "TRACE ", "CONNECT "};
    if (std::any_of(std::begin(kMethods), std::end(kMethods), [payload](std::string_view method) {
            return begins_with(payload, method);
        })) {
        return {80, JoyRole::client};
    }
    return begins_with(payload, "HTTP/1.1 ") ? JoyIdentity{80, JoyRole::server} : JoyIdentity{};
}

// A standard query that wants recursion and has one question. Joy says server.
JoyIdentity identify_dns(std::span<const uint8_t> payload) noexcept {
    constexpr std::array<uint8_t, 6> kQuery{1, 0, 0, 1, 0, 0};
    const bool matches =
        payload.size() >= 8 && std::equal(kQuery.begin(), kQuery.end(), payload.begin() + 2);
    return matches ? JoyIdentity{53, JoyRole::server} : JoyIdentity{};
}

}  // namespace

JoyIdentity identify_joy_payload(uint8_t protocol, std::span<const uint8_t> payload) noexcept {
    if (protocol == kJoyUdp) {
        return identify_dns(payload);
    }
    if (protocol != kJoyTcp) {
        return {};
    }
    const JoyIdentity tls = identify_tls(payload);
    return tls.application != 0 ? tls : identify_http(payload);
}

// The first octet tells the value, each further one which bits are still as they were. Joy means
// to find counters, but compares with a value of which only constant bits are left: a mask is set
// only when no bit is constant and the octet is 1.
void JoyFirstOctetFacts::add(uint8_t octet) noexcept {
    if (segments >= kDescribedSegments) {
        return;
    }
    if (segments++ == 0) {
        initial = octet;
        constant_value = octet;
        constant_mask = 0xff;
        return;
    }
    constant_mask = static_cast<uint8_t>(constant_mask & ~(constant_value ^ octet));
    constant_value = constant_mask & octet;
    if (constant_mask == 0 && constant_value + 1 == octet) {
        counter_mask = 0xff;
    }
}

void JoyHalf::add(const JoyPacket& packet) {
    assert(packet.key == key_);
    const bool taken = !packet.malformed && (key_.protocol != kJoyTcp || add_tcp(packet));
    if (!taken) {
        // Header and all, as if it were payload, and so the protocols see it too.
        ++invalid_;
        add_payload(packet.transport, packet.time_us);
        add_protocols(packet.transport, packet.time_us);
    } else if (key_.protocol != kJoyTcp) {
        add_payload(packet.payload, packet.time_us);
        identify(packet.payload);
        add_protocols(packet.payload, packet.time_us);
    }
    add_ip(packet);
}

// TCP, RFC 9293 section 3.1: sequence number at 4, acknowledgement at 8, flags 13, window 14.
bool JoyHalf::add_tcp(const JoyPacket& packet) {
    const std::span<const uint8_t> header =
        packet.transport.first(packet.transport.size() - packet.payload.size());
    const uint32_t sequence = read_32(header.data() + 4);
    // No serial arithmetic: after a wrap all is a retransmission.
    if (!packet.payload.empty() && sequence < last_sequence_) {
        ++retransmissions_;
        return false;
    }
    if (!packet.payload.empty() && listed_.size() < kJoyListedPackets) {
        last_sequence_ = sequence;
    }
    const uint8_t flags = header[13];
    if (flags == kJoySyn || flags == kJoySynAck) {
        add_tcp_start(header);
    }
    add_payload(packet.payload, packet.time_us);
    identify(packet.payload);
    add_protocols(packet.payload, packet.time_us);
    if (!packet.payload.empty()) {
        first_octet_.add(packet.payload[0]);
    }
    add_segment(header, packet);
    return true;
}

void JoyHalf::add_tcp_start(std::span<const uint8_t> header) {
    const uint8_t flags = header[13];
    tcp_.flags = tcp_.flags == 0 ? flags : tcp_.flags;
    if (flags == kJoySyn && tcp_.sequence == 0) {
        tcp_.sequence = read_32(header.data() + 4);
    }
    if (tcp_.window == 0) {
        tcp_.window = read_16(header.data() + 14);
    }
    const std::span<const uint8_t> options = header.subspan(kJoyTcpHeader);
    if (!options.empty()) {
        const auto kept = options.first(std::min(options.size(), kJoyTcpOptionOctets));
        tcp_.options.assign(kept.begin(), kept.end());
    }
}

void JoyHalf::add_segment(std::span<const uint8_t> header, const JoyPacket& packet) {
    if (segments_.size() == kJoyListedPackets) {
        return;
    }
    JoyTcpSegment& segment = segments_.emplace_back();
    segment.time_us = packet.time_us;
    segment.sequence = read_32(header.data() + 4);
    segment.acknowledgement = read_32(header.data() + 8);
    segment.flags = header[13];
    segment.payload_octets = static_cast<uint16_t>(packet.payload.size());
    const std::span<const uint8_t> options = header.subspan(kJoyTcpHeader);
    segment.option_octets = static_cast<uint8_t>(options.size());
    const auto kept = options.first(std::min(options.size(), kJoyTcpOptionOctets));
    std::copy(kept.begin(), kept.end(), segment.options.begin());
}

void JoyHalf::add_payload(std::span<const uint8_t> payload, uint64_t time_us) {
    if (payload.empty()) {
        return;
    }
    if (listed_.size() < kJoyListedPackets) {
        listed_.push_back({time_us, static_cast<uint16_t>(payload.size())});
    }
    if (byte_counts_.empty()) {
        byte_counts_.resize(256);
        const auto kept = payload.first(std::min(payload.size(), kJoyFirstPayloadOctets));
        first_payload_.assign(kept.begin(), kept.end());
    }
    count_octets(payload);
    add_walsh(payload);
}

// Mean and squares by Welford's method, octet by octet, in the order that gives Joy's last digit.
void JoyHalf::count_octets(std::span<const uint8_t> payload) noexcept {
    for (const uint8_t octet : payload) {
        ++byte_counts_[octet];
        ++payload_octets_;
        const double delta = octet - byte_mean_;
        byte_mean_ += delta / payload_octets_;
        byte_squares_ += delta * (octet - byte_mean_);
    }
}

// A packet's last one to four octets are a group of their own, filled up with zeros.
void JoyHalf::add_walsh(std::span<const uint8_t> payload) noexcept {
    for (size_t at = 0; at < payload.size(); at += 4) {
        std::array<uint32_t, 4> octets{};
        std::copy_n(payload.begin() + static_cast<ptrdiff_t>(at),
                    std::min<size_t>(4, payload.size() - at),
                    octets.begin());
        const auto [a, b, c, d] = octets;
        walsh_[0] += a + b + c + d;
        walsh_[1] += a - b + c - d;
        walsh_[2] += a + b - c - d;
        walsh_[3] += a - b - c + d;
    }
}

std::array<int32_t, 4> JoyHalf::walsh_sums() const noexcept {
    return std::bit_cast<std::array<int32_t, 4>>(walsh_);
}

void JoyHalf::identify(std::span<const uint8_t> payload) noexcept {
    if (identity_.application == 0 && listed_.size() <= kIdentifiedPackets) {
        identity_ = identify_joy_payload(key_.protocol, payload);
    }
}

void JoyHalf::add_protocols(std::span<const uint8_t> payload, uint64_t time_us) {
    if (key_.protocol != kJoyTcp && key_.protocol != kJoyUdp) {
        return;
    }
    if (!protocols_) {
        protocols_ = std::make_unique<JoyProtocols>();
    }
    protocol_octets_ = std::min(protocol_octets_ + payload.size(), kMostProtocolOctets);
    protocols_->add({.payload = payload,
                     .time_us = time_us,
                     .source_port = key_.source_port,
                     .destination_port = key_.destination_port,
                     .protocol = key_.protocol,
                     .application = identity_.application});
}

void JoyHalf::add_ip(const JoyPacket& packet) {
    if (ip_ids_.size() < kJoyIpIds) {
        ip_ids_.push_back(packet.ip_id);
    }
    minimum_ttl_ = std::min(minimum_ttl_, packet.ttl);
    ++packets_;
    ip_octets_ += packet.ip.size();
    // Time 0 counts as not yet begun.
    start_us_ = start_us_ == 0 ? packet.time_us : start_us_;
    end_us_ = packet.time_us;
    // The first packet once there is one with payload, whatever this one carries.
    if (!listed_.empty() && first_packet_.empty()) {
        const auto kept = packet.ip.first(std::min(packet.ip.size(), idp_));
        first_packet_.assign(kept.begin(), kept.end());
    }
}

size_t JoyHalf::memory_octets() const noexcept {
    return sizeof(JoyHalf) + byte_counts_.size() * sizeof(uint32_t) +
           listed_.capacity() * sizeof(JoyListedPacket) + ip_ids_.capacity() * sizeof(uint16_t) +
           first_payload_.capacity() + first_packet_.capacity() +
           segments_.capacity() * sizeof(JoyTcpSegment) + tcp_.options.capacity() +
           (protocols_ ? sizeof(JoyProtocols) + protocol_octets_ : 0);
}

}  // namespace curlew::probe

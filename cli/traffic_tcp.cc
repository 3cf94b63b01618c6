#include "cli/traffic_tcp.h"

#include <algorithm>
#include <cassert>

#include "cli/traffic_octets.h"

namespace curlew::cli {
namespace {

constexpr uint8_t kFin = 0x01;
constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kPush = 0x08;
constexpr uint8_t kAck = 0x10;
constexpr uint16_t kLargestSegmentOctets = 1460;
constexpr size_t kTimestampOctets = 12;
constexpr uint64_t kSegmentGapNs = 122'000;  // a full frame at 100 Mbit/s
constexpr uint64_t kRetransmissionTimeoutNs = 214 * kMillisecondNs;

uint32_t random32(TrafficRandom& random) {
    return static_cast<uint32_t>(random.next() >> 32);
}

}  // namespace

TcpConversation::TcpConversation(TrafficCapture& capture,
                                 TrafficHost& client,
                                 uint16_t client_port,
                                 TrafficHost& server,
                                 uint16_t server_port,
                                 TcpStyle style,
                                 std::string_view label)
    : capture_(capture),
      style_(style),
      client_{client,
              client_port,
              style.client_window,
              random32(capture.random()),
              random32(capture.random()) >> 1,
              0},
      server_{server,
              server_port,
              style.server_window,
              random32(capture.random()),
              random32(capture.random()) >> 1,
              0} {
    capture.expect_flow(
        {client.address, client_port}, {server.address, server_port}, kProtocolTcp, label);
}

// RFC 9293 section 3.2; timestamps RFC 7323 section 3.2.
std::string TcpConversation::options_of(Side& from, Side& to, uint8_t flags) {
    std::string options;
    if ((flags & kSyn) != 0) {
        put32(options, 0x02040000 | kLargestSegmentOctets);
    }
    if (!style_.timestamps) {
        return options;
    }
    put16(options, (flags & kSyn) != 0 ? 0x0402 : 0x0101);  // SACK permitted, or padding
    put16(options, 0x080a);
    from.clock = std::max(from.clock, 1u);
    const auto elapsed_ms = static_cast<uint32_t>((now_ns_ - capture_.start_ns()) / kMillisecondNs);
    put32(options, uint32_t{from.clock + elapsed_ms});
    put32(options, from.last_heard_clock);
    to.last_heard_clock = from.clock + elapsed_ms;
    if ((flags & kSyn) != 0) {
        put32(options, 0x01030302);  // window scale 2
    }
    return options;
}

void TcpConversation::segment(Side& from, Side& to, uint8_t flags, std::string_view payload) {
    const std::string options = options_of(from, to, flags);
    std::string segment;
    put16(segment, from.port);
    put16(segment, to.port);
    put32(segment, from.next_sequence);
    put32(segment, (flags & kAck) != 0 ? to.next_sequence : 0);
    put8(segment, (20 + options.size()) / 4 << 4);
    put8(segment, flags);
    put16(segment, from.window);
    put32(segment, 0);
    segment += options;
    segment += payload;
    const std::string pseudo = ipv4_pseudo_header(from.host, to.host, kProtocolTcp, segment.size());
    set16(segment, 16, internet_checksum(pseudo + segment));
    add_ipv4(capture_,
             now_ns_,
             from.host,
             to.host,
             {.protocol = kProtocolTcp, .ttl = from.host.ttl},
             segment);
    from.next_sequence += static_cast<uint32_t>(payload.size());
    from.next_sequence += (flags & (kSyn | kFin)) != 0 ? 1 : 0;
}

uint64_t TcpConversation::think_ns() {
    return capture_.random().between(60'000, 700'000);
}

void TcpConversation::open(uint64_t time_ns) {
    now_ns_ = time_ns;
    segment(client_, server_, kSyn, {});
    now_ns_ += style_.round_trip_ns + think_ns();
    segment(server_, client_, kSyn | kAck, {});
    now_ns_ += think_ns();
    segment(client_, server_, kAck, {});
}

void TcpConversation::send(Side& from, Side& to, std::string_view payload) {
    const size_t most = kLargestSegmentOctets - (style_.timestamps ? kTimestampOctets : 0);
    while (!payload.empty()) {
        const std::string_view piece = payload.substr(0, most);
        payload.remove_prefix(piece.size());
        segment(from, to, payload.empty() ? kPush | kAck : kAck, piece);
        now_ns_ += kSegmentGapNs;
    }
}

void TcpConversation::client_sends(std::string_view payload) {
    now_ns_ += think_ns();
    send(client_, server_, payload);
    now_ns_ += style_.round_trip_ns;
    segment(server_, client_, kAck, {});
}

void TcpConversation::server_sends(std::string_view payload) {
    now_ns_ += think_ns();
    send(server_, client_, payload);
    now_ns_ += think_ns();
    segment(client_, server_, kAck, {});
}

void TcpConversation::client_sends_twice(std::string_view payload) {
    assert(payload.size() <= kLargestSegmentOctets - kTimestampOctets);
    now_ns_ += think_ns();
    const uint32_t sequence = client_.next_sequence;
    segment(client_, server_, kPush | kAck, payload);
    now_ns_ += kRetransmissionTimeoutNs;
    client_.next_sequence = sequence;
    client_sends(payload);
}

void TcpConversation::close() {
    now_ns_ += think_ns();
    segment(client_, server_, kFin | kAck, {});
    now_ns_ += style_.round_trip_ns + think_ns();
    segment(server_, client_, kFin | kAck, {});
    now_ns_ += think_ns();
    segment(client_, server_, kAck, {});
}

}  // namespace curlew::cli

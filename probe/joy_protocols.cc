#include "probe/joy_protocols.h"

#include <algorithm>
#include <array>
#include <string>

#include "probe/flow_key.h"
#include "probe/joy_http.h"
#include "probe/joy_packet.h"
#include "proto/frame.h"

namespace curlew::probe {
namespace {

constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kTlsPort = 443;
constexpr uint16_t kDhcpServerPort = 67;
constexpr uint16_t kDhcpClientPort = 68;

constexpr int kDnsMessages = 50;
constexpr size_t kShortestDns = 13;
// Our bound. As many of Ethernet's longest datagrams are less.
constexpr size_t kDnsOctets = 74 * 1024;
constexpr int kHttpMessages = 15;
constexpr int kDhcpMessages = 16;
// 236 octets before the cookie, behind it at most 16 options, each of up to 257 octets, the last
// one begun below 512; the rest is for padding.
constexpr size_t kDhcpOctets = 2048;
// A record has both sides' messages, and little else that is as long, in one frame.
static_assert(2 * (kDnsOctets + kDhcpMessages * kDhcpOctets) <
              proto::kMaximumFrameBodyOctets - 32 * 1024);
constexpr size_t kDhcpCookieAt = 236;
constexpr std::array<uint8_t, 4> kDhcpCookie{0x63, 0x82, 0x53, 0x63};

bool is_for(const JoySegment& segment, uint8_t protocol, uint16_t port) {
    return segment.protocol == protocol &&
           (segment.application == port || segment.source_port == port ||
            segment.destination_port == port);
}

bool is_dhcp(const JoySegment& segment) {
    return segment.protocol == kJoyUdp &&
           std::min(segment.source_port, segment.destination_port) == kDhcpServerPort &&
           std::max(segment.source_port, segment.destination_port) == kDhcpClientPort;
}

std::string text_of(std::span<const uint8_t> octets) {
    return {octets.begin(), octets.end()};
}

template <typename Protocol>
Protocol& made(std::unique_ptr<Protocol>& protocol) {
    if (!protocol) {
        protocol = std::make_unique<Protocol>();
    }
    return *protocol;
}

template <typename Message>
bool copy(const std::unique_ptr<Message>& from, Message& to) {
    if (from) {
        to = *from;
    }
    return from != nullptr;
}

}  // namespace

void JoyProtocols::add(const JoySegment& segment) {
    if (is_for(segment, kJoyUdp, kDnsPort)) {
        made(dns_);
        add_dns(segment.payload);
    }
    if (is_for(segment, kJoyTcp, kTlsPort)) {
        made(tls_).add(segment.payload, segment.time_us);
    }
    if (is_dhcp(segment)) {
        made(dhcp_);
        add_dhcp(segment.payload);
    }
    if (is_for(segment, kJoyTcp, kHttpPort)) {
        made(http_);
        add_http(segment.payload);
    }
}

void JoyProtocols::add_dns(std::span<const uint8_t> payload) {
    if (dns_->messages_size() < kDnsMessages && payload.size() >= kShortestDns &&
        payload.size() <= kDnsOctets - dns_octets_) {
        dns_->add_messages(text_of(payload));
        dns_octets_ += payload.size();
    }
}

void JoyProtocols::add_http(std::span<const uint8_t> payload) {
    if (http_->messages_size() < kHttpMessages && !read_joy_http(payload, *http_->add_messages())) {
        http_->mutable_messages()->RemoveLast();
    }
}

// Joy reads behind the end of what has no end option, or is too short for a cookie. That is not
// done here: such a message is kept as far as it goes, or not at all.
void JoyProtocols::add_dhcp(std::span<const uint8_t> payload) {
    if (dhcp_->messages_size() < kDhcpMessages &&
        payload.size() >= kDhcpCookieAt + kDhcpCookie.size() &&
        std::ranges::equal(payload.subspan(kDhcpCookieAt, kDhcpCookie.size()), kDhcpCookie)) {
        dhcp_->add_messages(text_of(payload.first(std::min(payload.size(), kDhcpOctets))));
    }
}

bool JoyProtocols::fill(proto::JoyDns& dns) const {
    return copy(dns_, dns);
}

bool JoyProtocols::fill(proto::JoyHttp& http) const {
    return copy(http_, http);
}

bool JoyProtocols::fill(proto::JoyDhcp& dhcp) const {
    return copy(dhcp_, dhcp);
}

bool JoyProtocols::fill(proto::JoyTls& tls) const {
    if (tls_) {
        tls_->fill(tls);
    }
    return tls_ != nullptr;
}

}  // namespace curlew::probe

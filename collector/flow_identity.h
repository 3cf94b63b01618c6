#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/digest.h"
#include "proto/flow.pb.h"

// What names a flow and what orders records. Both are made of the flow's whole key without
// direction, so that a live run, a replay and the other orientation of a flow agree.

namespace curlew::collector {

inline constexpr uint32_t kProtocolTcp = 6;
inline constexpr uint32_t kProtocolUdp = 17;

inline constexpr size_t kFlowKeyOctets = 42;

// 1 octet IP version, 16 + 16 lower and higher address (IPv4: the first 4, the rest 0), 2 + 2
// ports, 1 protocol, 4 tunnel; everything in network order.
using FlowKeyOctets = std::array<uint8_t, kFlowKeyOctets>;

struct Endpoint {
    std::string_view address;  // network order, 4 or 16 octets
    uint16_t port = 0;
};

// Requires: both addresses have 4 octets or both have 16.
FlowKeyOctets flow_key_octets(const Endpoint& one,
                              const Endpoint& other,
                              uint8_t protocol,
                              uint32_t tunnel_id);
// Requires: the flow passed the batch decoder.
FlowKeyOctets flow_key_octets(const proto::FlowSummary& flow);

// TCP, UDP and SCTP.
constexpr bool has_ports(uint32_t protocol_identifier) noexcept {
    return protocol_identifier == kProtocolTcp || protocol_identifier == kProtocolUdp ||
           protocol_identifier == 132;
}

// The order of records in a sealed dataset.
struct RecordOrder {
    uint32_t dataset = 0;        // of those that are sealed together
    uint64_t flow_start_ns = 0;  // of the record
    FlowKeyOctets key{};
    uint32_t flow_ordinal = 0;
    uint32_t record_number = 0;

    auto operator<=>(const RecordOrder&) const = default;
};

RecordOrder record_order(const proto::FlowSummary& flow);

// In preset joy-3.0.3: as Joy wrote them.
RecordOrder joy_record_order(const proto::FlowSummary& flow);

// Two numbers of at most 20 and 10 digits, 16 hex digits, two marks.
inline constexpr size_t kLongestFlowId = 48;

// Makes flow ids: "<first record's start in us>-<16 hex digits>", and "+<ordinal>" behind it when
// the flow is not the first of its key in that microsecond. The digits are the front of the key's
// SHA-256: not a secret, but nobody makes two flows share them by arithmetic.
class FlowIdMaker {
  public:
    // Good until the next call.
    std::string_view make(const proto::FlowSummary& flow);

  private:
    Sha256 digest_;
    std::array<char, kLongestFlowId> text_;
};

// A flow id that is kept, in place.
class FlowId {
  public:
    // Requires: no longer than kLongestFlowId.
    explicit FlowId(std::string_view text) noexcept : octets_(static_cast<uint8_t>(text.size())) {
        assert(text.size() <= kLongestFlowId);
        std::copy(text.begin(), text.end(), text_.begin());
    }
    std::string_view text() const noexcept { return {text_.data(), octets_}; }

  private:
    uint8_t octets_;
    std::array<char, kLongestFlowId> text_;
};

}  // namespace curlew::collector

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "probe/flow_key.h"

// What the table keeps of a flow. FlowHot is touched by every packet, FlowWarm by a flow's first
// packets, by those that show something new, and at export; blocks (flow_features.h) only where the
// dataset profile wants more.
//
// Index 0 of every pair is the low endpoint of the key as sender, 1 the high one. Who is initiator
// is decided at export (flow_direction.h).

namespace curlew::probe {

using FlowIndex = uint32_t;
inline constexpr FlowIndex kNoFlow = 0xffffffff;

// IANA flowEndReason (136).
enum class FlowEndReason : uint8_t {
    idle_timeout = 1,
    active_timeout = 2,
    end_of_flow = 3,
    forced_end = 4,
    lack_of_resources = 5,
};
inline constexpr size_t kFlowEndReasons =
    size_t{1} + static_cast<size_t>(FlowEndReason::lack_of_resources);

// Bits of FlowHot::state.
enum FlowState : uint8_t {
    kStateInUse = 1,
    kStateFirstFromHigh = 2,  // the first packet of the flow came from the high endpoint
    kStateFinLow = 4,
    kStateFinHigh = 8,
    kStateReset = 16,
    kStateContinued = 32,  // not the first record of its flow
    // These two as of states_got_on() (tcp_connection.h), from the records before.
    kStateGotOnLow = 64,
    kStateGotOnHigh = 128,
};

// Bits of FlowHot::quality: values of proto Quality that the packets set one by one.
enum FlowQuality : uint16_t {
    kQualityBeginSeen = 1,  // these three are set when the record is written
    kQualityEndSeen = 2,
    kQualityOneWay = 4,
    kQualityTruncated = 8,
    kQualityFragmented = 16,
    kQualityMergedFrames = 32,
    kQualityMalformed = 64,
    kQualityTimeReversed = 128,
    kQualityClassificationIncomplete = 256,
    kQualityListCut = 512,
    kQualityTunnelTooDeep = 2048,
    kQualityDuplicate = 8192,
    kQualityGap = 16384,
};

// Bits of FlowHot::settled: what packets of the low endpoint can add nothing to in FlowWarm any
// more, unless they begin a connection or have another TTL; shifted by 1 those of the high one.
enum FlowSettled : uint8_t {
    kSettledSender = 1,   // addresses and the time of the first packet
    kSettledPayload = 4,  // what payloads are looked at for
};

struct alignas(64) FlowHot {
    FlowKey key;
    uint64_t last_ns = 0;         // latest packet of the record
    uint32_t details = 0;         // block of FlowDetails + 1; 0: none
    uint16_t quality = 0;         // FlowQuality bits of the record
    uint8_t state = 0;            // FlowState bits
    uint8_t payload_packets = 0;  // of the flow, both directions, up to 255

    uint64_t start_ns = 0;                      // earliest packet of the record
    std::array<uint64_t, 2> octets{};           // IP total lengths of the record
    std::array<uint64_t, 2> payload_octets{};   // transport payload of the record
    std::array<uint32_t, 2> packets{};          // of the record
    std::array<uint8_t, 2> tcp_flags{};         // union over the record
    std::array<uint8_t, 2> ttl_minimum{};       // of the record
    std::array<uint8_t, 2> class_of_service{};  // union over the record
    uint8_t settled = 0;                        // FlowSettled bits
    // The latest packet came so much later than its time says, less than 2 to this ns; 0: hardly.
    uint8_t delay = 0;
    FlowIndex wheel_next = kNoFlow;
    uint32_t wheel_previous = 0;  // a flow, or a slot: see ExpiryWheel
};
static_assert(sizeof(FlowHot) == 128);

// How a side's payload was identified by the published datasets' exporter (joy 3.0.3).
enum class PublishedRole : uint8_t { none, client, server };

// A payload signature that hit.
struct SignatureHit {
    uint16_t signature = 0;
    uint8_t packet = 0;  // ordinal among the flow's payload packets
    uint8_t from_high = 0;
    uint32_t end_offset = 0;
};
inline constexpr size_t kMaximumHitsPerFlow = 6;

struct alignas(64) FlowWarm {
    // First, in one line, what a flow's first packets touch one after the other.
    std::array<uint64_t, 2> first_ns{};  // first packet of each side in the flow's first record
    uint32_t names = 0;                  // chain of blocks, index + 1; 0: none
    uint32_t names_tail = 0;
    uint32_t messages = 0;  // block of MessageState + 1; 0: none. See message_store.h
    std::array<uint8_t, 2> has_macs{};
    std::array<uint8_t, 2> ttl_maximum{};
    std::array<uint8_t, 2> beginning{};      // tcp_beginning() of the side's first such packet
    std::array<uint8_t, 2> published_syn{};  // flags of its first with no other flag set
    std::array<PublishedRole, 2> published_role{};
    std::array<uint8_t, 2> data_packets{};    // with payload, up to 255
    std::array<uint8_t, 2> client_payload{};  // a request was seen from this side
    std::array<uint8_t, 2> inspected{};       // packets scanned per side
    uint8_t hit_count = 0;
    uint8_t name_count = 0;
    uint8_t protocol = 0;      // what reads its names, see inspector.cc
    uint8_t message_kind = 0;  // MessageKind that signatures tell; 0: none
    // Bit 0 low, bit 1 high: nothing more is kept of this side's stream. Bit 2 low, bit 3 high: all
    // its payloads so far were padding.
    uint8_t streams_off = 0;
    // Bit 0 low, bit 1 high: its first octet's number is known, see tcp_connection.h. Bit 2 low,
    // bit 3 high: see is_begun_again().
    uint8_t streams_begun = 0;
    uint8_t recognised = 0;                  // bit 0 low, bit 1 high: `hits` has one of its
    std::array<uint32_t, 2> stream_begin{};  // that number
    uint8_t icmp_type_count = 0;

    // Direction, see flow_direction.h.
    uint8_t direction_decided = 0;
    uint8_t initiator_is_high = 0;
    uint8_t direction_source = 0;  // proto DirectionSource

    uint64_t flow_start_ns = 0;  // start of the flow's first record
    uint32_t ordinal = 0;        // among flows of this key that start in one microsecond
    uint32_t record_number = 0;
    std::array<std::array<uint8_t, 12>, 2> macs{};  // destination and source of the first packet
    std::array<uint16_t, 2> vlans{};                // outer first, kNoVlan where none
    std::array<uint32_t, 2> copies{};  // see CopyTable; of the record; 0 without kQualityDuplicate
    uint32_t tunnels = 0;              // chain of StoredTunnel, of the flow's first packet
    std::array<std::array<uint8_t, 2>, 4> icmp_types{};  // type and code, distinct, first four
    uint8_t published_reversed = 0;
    uint8_t published_ttl_out = 0;
    uint8_t published_ttl_in = 0;
    uint8_t published_answered = 0;  // there is a TTL in
    // Bit 0 low, bit 1 high: it answered over HTTP, so it asks nobody. Bit 2 low, bit 3 high: its
    // request goes on, head or content, until the other side speaks.
    uint8_t http_sides = 0;
    std::array<SignatureHit, kMaximumHitsPerFlow> hits{};
};
static_assert(offsetof(FlowWarm, flow_start_ns) <= 64);
static_assert(sizeof(FlowWarm) <= 192);

}  // namespace curlew::probe

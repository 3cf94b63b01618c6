// Hot path.
#include "probe/wifi_frame.h"

#include "probe/link_layer.h"
#include "probe/network_order.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumPresentWords = 32;
constexpr uint32_t kFcsOctets = 4;
constexpr uint32_t kMacOctets = 6;
// Destination 6, source 6, length 2.
constexpr uint32_t kSubframeHeaderOctets = 14;

// First octet of the frame control.
constexpr uint8_t kTypeMask = 0x0f;  // protocol version and type
constexpr uint8_t kTypeData = 0x08;
constexpr uint8_t kSubtypeNull = 0x40;
constexpr uint8_t kSubtypeQos = 0x80;
// Second octet.
constexpr uint8_t kToDistribution = 0x01;
constexpr uint8_t kFromDistribution = 0x02;
constexpr uint8_t kProtected = 0x40;
constexpr uint8_t kOrder = 0x80;
// First octet of the QoS control.
constexpr uint8_t kAggregated = 0x80;

// Bits of the radiotap field "flags".
constexpr uint8_t kRadiotapFcs = 0x10;
constexpr uint8_t kRadiotapPadded = 0x20;
constexpr uint8_t kRadiotapBadFcs = 0x40;

// An aggregate holds packets of its own behind one header. A single one is a packet like another.
ParseResult enter_aggregate(PacketWalk& walk) noexcept {
    if (walk.captured < kSubframeHeaderOctets) {
        return ParseResult::link_header_truncated;
    }
    const uint32_t length = read_16(walk.at + 12);
    const uint32_t padded = (kSubframeHeaderOctets + length + 3) / 4 * 4;
    if (padded + kSubframeHeaderOctets <= walk.octets) {
        return ParseResult::wifi_aggregated;
    }
    walk.destination_mac = walk.at;
    walk.source_mac = walk.at + kMacOctets;
    walk.skip(kSubframeHeaderOctets);
    walk.limit(length);
    return enter_llc(walk);
}

// Frame control 2, duration 2, addresses 6 + 6 + 6, sequence control 2; a fourth address between
// access points, QoS control 2 and HT control 4 as the frame control says.
ParseResult enter_frame(PacketWalk& walk, bool padded) noexcept {
    constexpr uint32_t kAddress1 = 4;
    constexpr uint32_t kAddress2 = 10;
    constexpr uint32_t kAddress3 = 16;
    constexpr uint32_t kSequenceControl = 22;
    constexpr uint32_t kAddress4 = 24;
    if (walk.captured < 2) {
        return ParseResult::link_header_truncated;
    }
    const uint8_t* const frame = walk.at;
    const uint8_t flags = frame[1];
    if ((frame[0] & kTypeMask) != kTypeData || (frame[0] & kSubtypeNull) != 0) {
        return ParseResult::wifi_no_data;
    }
    if ((flags & kProtected) != 0) {
        return ParseResult::wifi_protected;
    }
    const bool to = (flags & kToDistribution) != 0;
    const bool from = (flags & kFromDistribution) != 0;
    const bool qos = (frame[0] & kSubtypeQos) != 0;
    const uint32_t qos_at = to && from ? kAddress4 + kMacOctets : kAddress4;
    uint32_t octets = qos_at + (qos ? 2 : 0) + (qos && (flags & kOrder) != 0 ? 4 : 0);
    if (padded) {
        octets = (octets + 3) / 4 * 4;
    }
    if (walk.captured < octets) {
        return ParseResult::link_header_truncated;
    }
    if ((read_little_16(frame + kSequenceControl) & 0x0f) != 0) {
        return ParseResult::wifi_fragment;
    }
    walk.destination_mac = frame + (to ? kAddress3 : kAddress1);
    walk.source_mac = frame + (!from ? kAddress2 : to ? kAddress4 : kAddress3);
    const bool aggregated = qos && (frame[qos_at] & kAggregated) != 0;
    walk.skip(octets);
    return aggregated ? enter_aggregate(walk) : enter_llc(walk);
}

// Leaves a capture header of so many octets behind, which was never on the air.
bool pass_capture_header(PacketWalk& walk, uint32_t octets) noexcept {
    if (walk.captured < octets) {
        return false;
    }
    walk.skip(octets);
    walk.outside_octets += octets;
    return true;
}

// The field "flags" of a radiotap header, or 0 where it is not there. Requires: 8 octets are
// readable, and `octets`, which the header says it has.
//   version 1, pad 1, length 2, present 4: bit 0 a time of 8 octets, aligned to 8; bit 1 the flags,
//   1 octet; bit 31 another present word follows
uint8_t radiotap_flags(const uint8_t* header, uint32_t octets) noexcept {
    const uint32_t present = read_little_32(header + 4);
    uint32_t at = 8;
    uint32_t word = present;
    for (size_t i = 0; (word & 0x80000000) != 0; ++i) {
        if (i == kMaximumPresentWords || at + 4 > octets) {
            return 0;
        }
        word = read_little_32(header + at);
        at += 4;
    }
    if ((present & 1) != 0) {
        at = (at + 7) / 8 * 8 + 8;
    }
    return (present & 2) != 0 && at < octets ? header[at] : uint8_t{0};
}

}  // namespace

ParseResult enter_wifi(PacketWalk& walk) noexcept {
    return enter_frame(walk, false);
}

ParseResult enter_radiotap(PacketWalk& walk) noexcept {
    if (walk.captured < 8) {
        return ParseResult::link_header_truncated;
    }
    const uint32_t octets = read_little_16(walk.at + 2);
    if (walk.at[0] != 0 || octets < 8) {
        return ParseResult::not_ip;
    }
    const uint8_t* const header = walk.at;
    if (!pass_capture_header(walk, octets)) {
        return ParseResult::link_header_truncated;
    }
    const uint8_t flags = radiotap_flags(header, octets);
    if ((flags & kRadiotapBadFcs) != 0) {
        return ParseResult::wifi_bad_fcs;
    }
    if ((flags & kRadiotapFcs) != 0) {
        const uint32_t fcs = std::min(walk.octets, kFcsOctets);
        walk.limit(walk.octets - fcs);
        walk.outside_octets += fcs;
    }
    return enter_frame(walk, (flags & kRadiotapPadded) != 0);
}

// Message code 4, message length 4, in the capturing host's byte order: the length is below 65536.
ParseResult enter_prism(PacketWalk& walk) noexcept {
    if (walk.captured < 8) {
        return ParseResult::link_header_truncated;
    }
    if (read_32(walk.at) >> 12 == 0x80211) {
        return enter_avs(walk);
    }
    const uint32_t big = read_32(walk.at + 4);
    const uint32_t little = read_little_32(walk.at + 4);
    return pass_capture_header(walk, std::min(big, little)) ? enter_frame(walk, false)
                                                            : ParseResult::link_header_truncated;
}

// Version 4 (0x80211000 and up), length 4.
ParseResult enter_avs(PacketWalk& walk) noexcept {
    if (walk.captured < 8) {
        return ParseResult::link_header_truncated;
    }
    return pass_capture_header(walk, read_32(walk.at + 4)) ? enter_frame(walk, false)
                                                           : ParseResult::link_header_truncated;
}

}  // namespace curlew::probe

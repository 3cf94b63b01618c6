#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "probe/packet_parser.h"

// Numbers over all packets of one direction of a record, as exact sums: the collector makes means
// and deviations of them. They begin anew with each record of a flow; which sequence numbers were
// seen goes on, for a segment may come again, or late, in the record behind.
//
// Lengths are those that the headers tell, whether or not all octets were captured. A fragment is a
// packet like others; a later one has no TCP header and counts nothing there.

namespace curlew::probe {

inline constexpr size_t kSpreadBins = 8;
// A burst: this many packets with payload in a row, none later than this after the one before.
inline constexpr uint8_t kBurstPackets = 3;
inline constexpr uint64_t kBurstGap = 1'000'000'000;
inline constexpr size_t kSequenceHoles = 13;

// Bin of a length in octets or a gap in milliseconds: below 16, 32, 64, ... 1024, and the rest.
size_t spread_bin(uint64_t value) noexcept;

struct SumOfSquares {
    uint64_t low;
    uint64_t high;
};

template <typename Value>
struct Spread {
    SumOfSquares squares;
    uint64_t sum;
    Value minimum;  // the highest number of its type before the first value
    Value maximum;
    std::array<uint32_t, kSpreadBins> bins;
};

// Sequence numbers from `begin` to before `end` that were passed over.
struct SequenceHole {
    uint32_t begin;
    uint32_t end;
};

// Bits of SideStatistics::handshake.
inline constexpr uint8_t kSentSyn = 1;
inline constexpr uint8_t kSentSynAck = 2;
inline constexpr uint8_t kHandshakeOver = 4;  // its answer came, or none will
inline constexpr uint8_t kAnswered = 8;       // response_ns is there

// Bits of SideStatistics::sequence_seen.
inline constexpr uint8_t kSeenSegment = 1;   // `lowest` and `highest`
inline constexpr uint8_t kSeenAnswer = 2;    // `acknowledged`
inline constexpr uint8_t kSeenSynAlone = 4;  // the segment was a SYN, and none came after it
inline constexpr uint8_t kSeenFragment = 8;  // of which only the first tells its numbers

// Memory that is all 0 becomes one by begin_statistics().
struct alignas(64) SideStatistics {
    // First, in one line, what a packet of the other side touches.
    uint32_t lowest;        // sequence number of the first octet seen, or 2^30 before `highest`
    uint32_t highest;       // behind the last octet seen
    uint32_t acknowledged;  // highest number that the other side acknowledged
    uint8_t handshake;
    uint8_t sequence_seen;  // bits above: which of the numbers mean something
    uint8_t hole_count;
    uint8_t run;           // packets with payload in a row, up to kBurstPackets
    uint64_t begun_ns;     // the latest SYN or SYN+ACK that was not yet answered
    uint64_t response_ns;  // from the other side's SYN or SYN+ACK to the answer of this one

    uint64_t last_ns;          // latest stamp: packets may come late
    uint64_t last_payload_ns;  // likewise, of those with payload
    uint32_t packets;
    uint32_t bursts;
    Spread<uint64_t> gap;      // ns since the side's packet before; one fewer than packets
    Spread<uint32_t> payload;  // transport payload octets, 0 included
    Spread<uint32_t> frame;    // octets as received, no FCS

    // What few packets touch.
    uint32_t retransmissions;
    uint32_t out_of_order;
    uint32_t zero_windows;
    uint64_t unseen;  // octets as of unseen_octets(), of holes that are remembered no more
    std::array<SequenceHole, kSequenceHoles> holes;  // oldest first; more push it out
};
inline constexpr size_t kEveryPacketOctets = 256;  // of SideStatistics
static_assert(offsetof(SideStatistics, retransmissions) == kEveryPacketOctets);
static_assert(offsetof(SideStatistics, last_ns) <= 64);
static_assert(sizeof(SideStatistics) == 384);

void begin_statistics(SideStatistics& side) noexcept;

// Begins those of the flow's next record, with the sequence numbers that were seen so far, and
// those that unseen_octets() has told: come late, they are taken for ones that come again. Those of
// a side of which fragments hid some begin anew.
void continue_statistics(SideStatistics& side) noexcept;

// Whether it can be told what was not seen: there are numbers, and fragments hid none.
constexpr bool tells_unseen(const SideStatistics& side) noexcept {
    return (side.sequence_seen & (kSeenSegment | kSeenFragment)) == kSeenSegment;
}

// Sequence numbers that the other side acknowledged, though no packet of this one with them was
// seen: lost before they came to us. Without those of earlier records. What the other side cannot
// have got is not counted: numbers far ahead of all that was seen, or other than a SYN's own for
// the first answer to one alone, which is of another connection (RFC 9293 section 3.5.1). Requires:
// tells_unseen(side).
uint64_t unseen_octets(const SideStatistics& side) noexcept;

// Adds a packet that `side` sent; `other` is the other side's, or null before its first packet of
// the flow.
// Handshakes are timed in a flow's first record alone.
void add_statistics(SideStatistics& side,
                    SideStatistics* other,
                    const ParsedPacket& packet,
                    bool first_record) noexcept;

}  // namespace curlew::probe

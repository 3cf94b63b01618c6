#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "probe/packet_digest.h"
#include "probe/packet_parser.h"

// Tells copies that the capture made: a mirror port shows a packet where it enters the switch and
// again where it leaves, two mirrors show it twice, a frame of 802.11 is sent again on the air.
//
// A copy is a packet all of whose captured octets, from the innermost IP header on, were there
// before in the same flow and direction, at most a window earlier, where these octets say that the
// sender sent them once:
//
//   IPv4 with an identification   The sender numbers its packets: one that it sends again, a
//                                 retransmission or a repeated datagram, has another one.
//   A fragment                    Its identification must be its packet's alone (RFC 6864 section
//                                 4.1, RFC 8200 section 4.5), 0 included.
//   Else TCP with payload         The same octets again within the window are a fast retransmission
//                                 unless the other side was silent in between: it is the other side
//                                 that asks for it (RFC 5681 section 3.2), and a timer waits for
//                                 longer (RFC 6298 section 2.4). The other side must have been
//                                 heard at all.
//
// Who only counts copies looks at the first kCountedOctets of them: they hold the length and the
// checksums of all, and the rest would have to be fetched for nothing else in profile line-rate.
// What is removed was equal to the last octet: no packet is hidden behind another's front.
//
// All else cannot be told and is no copy: of IPv4 with identification 0 and of IPv6, datagrams and
// ICMP that programs repeat, and TCP without payload, for a receiver acknowledges the same
// number at once again, octet for octet, for each segment that comes out of order.
//
// Many senders number all packets alike (RFC 6864 lets them, for what is not fragmented). An
// identification that comes again within a second on other octets of its flow and direction counts
// nothing, nor does one whose octets come more than kMostCopies times more; no packet with it is a
// copy until a second has passed without it. Of a sender that repeats equal octets under one
// identification, and has sent nothing else under it, the first kMostCopies are taken for copies.
//
// Of a partition kBuckets * kWays packets are remembered, 256, or fewer where they meet in one
// bucket: a copy behind more is not found. Within the window one flow of 256,000 packets a second
// has as many.
//
// Link headers, VLAN tags and tunnels may differ, the flow may not. What a router passed on has
// another TTL, what a switch marked another class of service: no copies, by this definition. Nor is
// a packet that a host merged to more than 65,536 octets, nor one without a stamp, or whose stamp
// tells no time: 0, or kLatestTimeNs.
//
// One thread's, of one partition: what is a copy does not depend on the number of workers or on
// bursts.

namespace curlew::probe {

enum class CopyAction : uint8_t {
    off,     // not looked for
    count,   // metered, and counted apart
    remove,  // not metered
};

const char* name_of(CopyAction action) noexcept;
std::optional<CopyAction> copy_action_named(std::string_view name) noexcept;

struct CopyConfig {
    CopyAction action = CopyAction::count;
    // A frame of 1,500 octets waits 0.12 ms for itself in a switch of 100 Mbit/s, and for others
    // in its queue; and a mirror's host stamps late what it takes from its device in batches. No
    // TCP's timer is as short as this.
    uint64_t window_ns = 1'000'000;
};

class CopyTable {
  public:
    struct Remembered {
        PacketDigest::Value digest;
        uint64_t time_ns;
        uint32_t name;     // hash of flow, direction and number; never 0
        uint16_t answers;  // of the other side when it came, modulo 65,536
        uint8_t copies;    // that came so far
        uint8_t counts_nothing;
    };
    static_assert(sizeof(Remembered) == 32);

    static constexpr size_t kWays = 4;
    struct alignas(64) Bucket {
        std::array<Remembered, kWays> remembered;
    };
    // Of a partition. All 64 remember the packets of 1 ms at 14.88 million a second.
    static constexpr size_t kBuckets = 64;

    // Two lines: IP and TCP with all options that are common, and more.
    static constexpr size_t kCountedOctets = 128;

    // An ingress and an egress of two switches.
    static constexpr uint8_t kMostCopies = 3;

    // Requires: buckets are all zero, and none or a power of two; digest outlives this.
    CopyTable(std::span<Bucket> buckets,
              const CopyConfig& config,
              const PacketDigest& digest) noexcept;

    // Without buckets it is off.
    bool is_on() const noexcept { return !buckets_.empty(); }

    // `hash` is that of the packet's flow. Requires, of both: is_on().
    void prefetch(const ParsedPacket& packet, uint64_t hash) const noexcept;

    // Remembers the packet, or says that it is a copy of one that is. `answers` are the packets
    // so far of the other side, copies not counted; 0: none was seen.
    bool is_copy(const ParsedPacket& packet, uint64_t hash, uint32_t answers) noexcept;

  private:
    std::span<Bucket> buckets_;
    uint64_t window_ns_;
    size_t compared_octets_;  // of a packet, at most
    const PacketDigest* digest_;
};

}  // namespace curlew::probe

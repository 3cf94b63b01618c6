#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "probe/loss_intervals.h"

// The seam to the outside: where packets come from. DPDK queues, captures and tests stand behind
// it; nothing past it knows which. One virtual call per burst.

namespace curlew::probe {

inline constexpr size_t kMaximumBurst = 64;
// Longest packet a port hands on. libpcap's bound as well (MAXIMUM_SNAPLEN).
inline constexpr uint32_t kMaximumPacketOctets = 262'144;

// What stands at PacketView::data.
enum class LinkType : uint8_t {
    ethernet,       // Ethernet II or 802.3, no FCS
    raw_ip,         // IPv4 or IPv6, told by the version nibble
    null_loopback,  // BSD loopback: address family, 4 octets, in either byte order
    linux_sll,      // Linux cooked capture, 16 octets
    linux_sll2,     // Linux cooked capture 2, 20 octets
    ppp,            // PPP, with or without HDLC framing (RFC 1662)
    pppoe,          // PPPoE header (RFC 2516)
    cisco_hdlc,     // Cisco HDLC, 4 octets
    frame_relay,    // Q.922 address, then RFC 2427 or Cisco's framing
    netfilter_log,  // Linux NFLOG: attributes, one of them the packet
    solaris_ipnet,  // Solaris, 24 octets
    fddi,           // FDDI with its frame control
    llc,            // LLC at once, as of ATM (RFC 2684)
    wifi,           // IEEE 802.11, no FCS
    wifi_radiotap,  // the same behind a radiotap header
    wifi_prism,     // behind a Prism or AVS header
    wifi_avs,       // behind an AVS header
    unsupported,    // anything else
};
inline constexpr int kLinkTypes = 17;  // that are supported

// A capture's times outside of 1970 to this, in 2116, are moved to that bound.
inline constexpr uint64_t kLatestTimeNs = uint64_t{1} << 62;

// One packet, owned by the port until release().
struct PacketView {
    const uint8_t* data = nullptr;  // first captured octet of the link layer
    uint64_t time_ns = 0;           // since 1970-01-01 UTC
    uint32_t captured_octets = 0;   // readable at data
    uint32_t wire_octets = 0;       // length on the wire, no FCS; >= captured_octets
    LinkType link = LinkType::ethernet;
    bool is_untimed = false;  // has no time of its own: time_ns is the packet's before it, or 0
};

enum class PortState : uint8_t {
    running,  // more may come
    ended,    // the input is finished: a capture at its end
    broken,   // the input failed in the middle; fault() says how
};

// offered = handed out + filtered + missed + in error + without buffer.
struct PortCounters {
    uint64_t packets_offered = 0;         // packets the source had for us, lost ones included
    uint64_t octets_offered = 0;          // their wire octets, as far as the source tells
    uint64_t packets_filtered = 0;        // not wanted by the filter
    uint64_t packets_missed = 0;          // lost: no room in the receive queue
    uint64_t packets_in_error = 0;        // lost: damaged as they were received
    uint64_t packets_without_buffer = 0;  // lost: no memory to receive them into

    void add(const PortCounters& other) noexcept {
        packets_offered += other.packets_offered;
        octets_offered += other.octets_offered;
        packets_filtered += other.packets_filtered;
        packets_missed += other.packets_missed;
        packets_in_error += other.packets_in_error;
        packets_without_buffer += other.packets_without_buffer;
    }
};

// The wall clock was set while a live port went on with its own time.
struct ClockStep {
    uint64_t at_ns = 0;  // by the port's time
    int64_t by_ns = 0;  // what the wall clock is ahead of the port's from then on, more than before
};

// The first ones; the last stands for all that came after it as well.
struct ClockSteps {
    static constexpr size_t kMost = 32;

    std::array<ClockStep, kMost> steps{};
    size_t count = 0;

    void add(const ClockStep& step) noexcept {
        if (count < kMost) {
            steps[count++] = step;
        } else {
            steps.back() = {step.at_ns, steps.back().by_ns + step.by_ns};
        }
    }
};

// One instruction of classic BPF, as kernels and drivers take it.
struct BpfInstruction {
    uint16_t code = 0;
    uint8_t jump_true = 0;
    uint8_t jump_false = 0;
    uint32_t k = 0;
};

// Which packets of Ethernet are wanted. No instructions: all. A port may run them by its own means
// or by `matches`, which gives the verdict that counts.
struct PortFilter {
    std::span<const BpfInstruction> instructions;
    bool (*matches)(std::span<const BpfInstruction>, const PacketView&) noexcept = nullptr;
};

// A source of packets. One thread calls everything; constructors throw std::runtime_error with one
// sentence, afterwards nothing throws.
class Port {
  public:
    virtual ~Port() = default;

    // Fills the front of `burst`, returns how many. 0 says nothing about the end: ask state(), nor
    // that nothing came, for a filter may have left it out: ask caught_up().
    // Requires: the previous burst was released, also one of 0.
    virtual size_t receive(std::span<PacketView, kMaximumBurst> burst) noexcept = 0;

    // Gives the last burst back; no pointer into its packets may be used afterwards.
    virtual void release() noexcept = 0;

    virtual PortState state() const noexcept = 0;

    // The last receive() found nothing that waited, wanted or not.
    virtual bool caught_up() const noexcept = 0;

    // False for a capture: it keeps what is not fetched, so that waiting loses nothing, and has no
    // clock but its packets'.
    virtual bool is_live() const noexcept = 0;

    // The port's clock while no packet comes. A capture's clock stands still at its last packet. A
    // live one's is not led by who sets the system's: packets' times and this go on as they went.
    virtual uint64_t now_ns() const noexcept = 0;

    // When a capture that has ended did, where it tells that beside its packets; else 0.
    virtual uint64_t end_ns() const noexcept { return 0; }

    // How the system's clock was set since the port was opened, as of the last receive().
    virtual ClockSteps clock_steps() const noexcept { return {}; }

    // As of the last receive(). A device may take microseconds to tell: to be asked now and then.
    virtual PortCounters counters() const noexcept = 0;

    // When what a capture counts as missed was lost, as far as it tells; of queue 0. Of a live port
    // who looks at its counters knows.
    virtual LossIntervals losses() const noexcept { return {}; }

    // One sentence on why the state is broken; empty otherwise.
    virtual const std::string& fault() const noexcept = 0;

    // How much of the input was consumed, 0 to 1; negative where that is not known.
    virtual double progress() const noexcept = 0;
};

}  // namespace curlew::probe

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "probe/loss_intervals.h"
#include "probe/port.h"

// Packets out of the octets of a capture file: classic pcap (draft-ietf-opsawg-pcap) or pcapng
// (draft-ietf-opsawg-pcapng), in either byte order.
//
// Times outside 0 .. kLatestTimeNs are moved to that bound. A wire length below the captured one is
// raised to it, one above kMaximumPacketOctets is taken for it. A frame check sequence of which the
// file tells is taken off, but where radiotap tells of it. Attributes of NFLOG are turned into this
// machine's byte order. Of a packet of pcapng with more than kMaximumPacketOctets the rest is
// passed over; a classic one is damage, for nothing else tells where the next begins.
//
// Want of memory ends the process.

namespace curlew::probe {

// What all packets of one link type and byte order have in common. All unsupported types are one,
// under the number that came first.
struct CaptureLink {
    uint32_t number = 0;   // as the file has it
    bool swapped = false;  // the file's byte order is not this machine's
    LinkType type = LinkType::unsupported;
};

struct CapturedPacket {
    PacketView view;
    size_t link = 0;  // which of CaptureReader::links()
};

// One thread calls everything.
class CaptureReader {
  public:
    // Octets that a packet and what is around it, as comments, can need at most. What a block of
    // pcapng has behind them is passed over.
    static constexpr size_t kLongestRecord = size_t{1} << 20;

    enum class Step : uint8_t {
        packet,   // one was read
        more,     // it needs octets behind those that there are
        damaged,  // fault() says how; nothing can be read behind it
    };

    virtual ~CaptureReader() = default;

    // Takes what it has understood off the front of `octets`, which are the file's from where the
    // last call left it, up to the next packet. The packet's octets stay where they are, and may be
    // changed there. After `more` it never needs above kLongestRecord octets.
    virtual Step next(std::span<uint8_t>& octets, CapturedPacket& packet) noexcept = 0;

    // The file may end here, where no octets are left.
    virtual bool is_between_records() const noexcept = 0;

    // Those that were told of so far.
    const std::vector<CaptureLink>& links() const noexcept { return links_; }

    // The file's clock is finer than a microsecond; in pcapng that of the first interface.
    virtual bool nanosecond() const noexcept = 0;

    // What the file says itself that it lost, as far as it was read.
    virtual uint64_t packets_lost() const noexcept { return 0; }

    // When that was, as reason port_missed; their sum is packets_lost(). What a packet tells: since
    // the one before it of its interface, or the section's first. What statistics tell beyond that:
    // at any time in the section.
    virtual LossIntervals losses() const noexcept { return {}; }

    // When the capture ended, the latest of what statistics behind the last packet say; else 0.
    virtual uint64_t end_ns() const noexcept { return 0; }

    // A few words; empty but after `damaged`.
    const std::string& fault() const noexcept { return fault_; }

  protected:
    Step damage(std::string words) noexcept;
    // Which of links() that is; a new one when there is none.
    size_t link_of(uint32_t number, bool swapped);

    // As the file has it; lengths in octets.
    struct Raw {
        uint8_t* data = nullptr;
        uint64_t time_ns = 0;
        uint32_t captured = 0;  // readable at data
        uint32_t wire = 0;
        uint32_t check_sequence = 0;  // at the end of what was on the wire
        bool is_untimed = false;
    };
    void fill(const Raw& raw, size_t link, CapturedPacket& packet) const noexcept;

  private:
    std::vector<CaptureLink> links_;
    std::string fault_;
};

// Octets of a file that tell its format.
inline constexpr size_t kCaptureHeadOctets = 24;

// For a file that begins so: its first octet is the first that the reader wants. Throws
// std::runtime_error with a few words when it is no capture. Requires: `head` is
// kCaptureHeadOctets long at least, or the whole file.
std::unique_ptr<CaptureReader> make_capture_reader(std::span<const uint8_t> head);

}  // namespace curlew::probe

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "probe/port.h"

// Blocks of pcapng (draft-ietf-opsawg-pcapng) in this machine's byte order, with times in
// nanoseconds: what a recording is made of (RECORDING.md), and how far one that broke off is whole.

namespace curlew::probe {

struct PcapngInterface {
    std::string name;
    std::string hardware;
    std::string filter;  // pcap-filter(7); empty: all
    LinkType link = LinkType::ethernet;
};

struct PcapngPacket {
    uint64_t time_ns = 0;
    uint64_t lost_before = 0;  // of its interface, since the packet before
    uint32_t interface = 0;
    uint32_t queue = 0;  // of the interface
    uint32_t flags = 0;  // epb_flags
    uint32_t wire_octets = 0;
    std::span<const uint8_t> octets;
};

// Of an interface between two times.
struct PcapngStatistics {
    uint64_t from_ns = 0;
    uint64_t to_ns = 0;
    uint64_t received = 0;         // isb_ifrecv
    uint64_t dropped = 0;          // isb_ifdrop
    uint64_t filter_accepted = 0;  // isb_filteraccept
    uint64_t dropped_later = 0;    // isb_osdrop
    uint64_t delivered = 0;        // isb_usrdeliv
};

// epb_flags of a packet: whom it was for, by the first octet of an Ethernet header (a mirror port
// shows what was for others), and that it came in, where that is known.
uint32_t epb_flags(LinkType link, std::span<const uint8_t> octets, bool came_in) noexcept;

// Appends blocks to `out`, which grows as it must.
void append_section(const std::string& program, const std::string& comment, std::string& out);
void append_interface(const PcapngInterface& interface, std::string& out);
void append_packet(const PcapngPacket& packet, std::string& out);
void append_statistics(uint32_t interface, const PcapngStatistics& statistics, std::string& out);

// No block of ours is longer.
inline constexpr size_t kLongestBlock = kMaximumPacketOctets + 4096;

// Of the front of a file: as far as it is whole blocks of the kinds above, a section first.
class PcapngBlocks {
  public:
    // Octets of the block that begins here, 0 where none of ours does or it is not whole.
    // Requires: `octets` goes on to the end of the file, or for kLongestBlock.
    size_t next(std::span<const uint8_t> octets) noexcept;

    uint64_t packets() const noexcept { return packets_; }

  private:
    bool in_section_ = false;
    uint64_t packets_ = 0;
};

}  // namespace curlew::probe

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "probe/capture_reader.h"

namespace curlew::probe {

// pcapng: sections in either byte order, interfaces of any link types, clocks and check sequences,
// packets of all three kinds, and what the file tells of losses: the drop counts of packets
// (section 4.3), and at the end the statistics of each interface (4.6). Where both are told the
// larger one counts, for statistics hold all. Other blocks are passed over, however long.
//
// A packet that has no time (4.4) has that of the one before.
class PcapngReader final : public CaptureReader {
  public:
    static bool begins(std::span<const uint8_t> head) noexcept;

    Step next(std::span<uint8_t>& octets, CapturedPacket& packet) noexcept override;
    bool is_between_records() const noexcept override { return skip_ == 0 && length_again_ == 0; }
    // Before any packet: of the first interface.
    bool nanosecond() const noexcept override { return is_finer_; }
    uint64_t packets_lost() const noexcept override;
    LossIntervals losses() const noexcept override;
    uint64_t end_ns() const noexcept override { return end_ns_; }

  private:
    // Ticks of 10^-exponent seconds, or 2^-exponent.
    struct Clock {
        bool is_binary = false;
        uint8_t exponent = 6;  // below 128
        int64_t offset_seconds = 0;

        // Since 1970, 0 .. kLatestTimeNs.
        uint64_t nanoseconds(uint64_t ticks) const noexcept;
        bool is_finer_than_microseconds() const noexcept;
    };
    struct Interface {
        size_t link = 0;
        uint32_t snap_length = 0;  // 0: all
        uint32_t check_sequence = 0;
        Clock clock;
        uint64_t last_ns = UINT64_MAX;  // of its last packet; that: there was none
        uint64_t lost_by_packets = 0;
        uint64_t lost_by_statistics = 0;
    };
    // Between its first length and its last.
    struct Block {
        uint32_t type = 0;
        uint32_t length = 0;          // of all of it
        std::span<uint8_t> contents;  // the front of them where it is too long
    };

    Step take_block(std::span<uint8_t>& octets, CapturedPacket& packet) noexcept;
    // Packet, damaged, or more: go on behind it.
    Step take(const Block& block, CapturedPacket& packet) noexcept;
    Step take_section(const Block& block);
    Step take_interface(const Block& block);
    Step take_packet(const Block& block, CapturedPacket& packet) noexcept;
    Step take_simple_packet(const Block& block, CapturedPacket& packet) noexcept;
    void take_statistics(const Block& block) noexcept;
    void note_options(std::span<const uint8_t> options, Interface& of, Raw& packet) noexcept;
    void note_time(Interface& of) noexcept;
    // Before the packet that is being taken.
    void note_lost(Interface& of, uint64_t packets) noexcept;
    // What statistics tell beyond the packets of the section; noted where it is not 0.
    uint64_t rest_of_section() const noexcept;
    void note_rest_of_section(LossIntervals& losses) const noexcept;

    bool swapped_ = false;
    uint64_t skip_ = 0;          // octets that are not wanted
    uint32_t length_again_ = 0;  // with which the block that they are of has to end; 0: no such
    std::vector<Interface> interfaces_;  // of the section
    bool knows_first_ = false;           // interface of the file
    bool is_finer_ = false;              // of an interface that had a packet
    bool had_packet_ = false;
    LossIntervals losses_;  // but for the rest of this section
    uint64_t lost_ = 0;     // packets, in losses_
    uint64_t section_from_ns_ = UINT64_MAX;
    uint64_t section_to_ns_ = 0;
    uint64_t packet_ns_ = 0;  // of the last packet
    uint64_t end_ns_ = 0;
};

}  // namespace curlew::probe

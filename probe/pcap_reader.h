#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "probe/capture_reader.h"

namespace curlew::probe {

// Classic captures: a header of 24 octets, then packets behind headers of 16. Read as libpcap does
// it: files of patched Linux kernels and of writers that had the two lengths the wrong way round
// too, and of a packet no more octets than the header's snapshot length says.
class PcapReader final : public CaptureReader {
  public:
    // Throws std::runtime_error with a few words when it is none.
    explicit PcapReader(std::span<const uint8_t> head);

    Step next(std::span<uint8_t>& octets, CapturedPacket& packet) noexcept override;
    bool is_between_records() const noexcept override { return header_left_ == 0; }
    bool nanosecond() const noexcept override { return unit_ns_ == 1; }

  private:
    // Of the captured length and the wire length.
    enum class Lengths : uint8_t { in_order, swapped, swapped_where_greater };

    size_t header_left_ = kCaptureHeadOctets;  // octets of the file's header not yet taken
    bool swapped_ = false;
    uint32_t unit_ns_ = 1000;  // of the fraction of a second
    size_t packet_header_octets_ = 16;
    uint32_t snapshot_octets_ = kMaximumPacketOctets;  // kept of a packet
    uint32_t check_sequence_ = 0;                      // octets
    Lengths lengths_ = Lengths::in_order;
    size_t link_ = 0;
};

}  // namespace curlew::probe

#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "probe/port.h"

namespace curlew::probe {

// The filter expression is wrong: the operator's mistake, not the input's.
class FilterError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Which packets are wanted, in the words of pcap-filter(7). Never changes after construction, so
// any thread may call it. A host name in the expression is looked up by the system's resolver.
class PacketFilter {
  public:
    // For packets of a live port. Requires: `link` is supported. An empty expression wants every
    // packet. Throws FilterError.
    PacketFilter(const std::string& expression, LinkType link);

    // For packets of a capture file: its link type's number there, and whether its byte order is
    // not this machine's. Throws FilterError, and what empty_capture() throws.
    PacketFilter(const std::string& expression, uint32_t link_number, bool swapped);

    std::span<const BpfInstruction> instructions() const noexcept { return instructions_; }

    // Requires: packet.link is what the filter was made for. Reads no further than
    // packet.captured_octets; a test of octets beyond does not match.
    bool matches(const PacketView& packet) const noexcept;

    // For a port that takes Ethernet; this outlives the port. Empty when every packet is wanted.
    PortFilter for_port() const noexcept;

  private:
    std::vector<BpfInstruction> instructions_;
};

}  // namespace curlew::probe

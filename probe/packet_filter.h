#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "probe/port.h"

struct pcap;

namespace curlew::probe {

// One instruction of classic BPF, as kernels and drivers take it.
struct BpfInstruction {
    uint16_t code = 0;
    uint8_t jump_true = 0;
    uint8_t jump_false = 0;
    uint32_t k = 0;
};

// The filter expression is wrong: the operator's mistake, not the input's.
class FilterError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Which packets are wanted, in the words of pcap-filter(7). Never changes after construction, so
// any thread may call it. A host name in the expression is looked up by the system's resolver.
class PacketFilter {
  public:
    // For packets of a live port. An empty expression wants every packet. Throws FilterError.
    PacketFilter(const std::string& expression, LinkType link);

    // For packets of an open capture: its link type and its byte order. Throws FilterError.
    PacketFilter(const std::string& expression, pcap* capture);

    std::span<const BpfInstruction> instructions() const noexcept { return instructions_; }

    // Requires: packet.link is what the filter was made for. Reads no further than
    // packet.captured_octets; a test of octets beyond does not match.
    bool matches(const PacketView& packet) const noexcept;

  private:
    std::vector<BpfInstruction> instructions_;
};

}  // namespace curlew::probe

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "probe/replay_port.h"
#include "tests/fuzz/fuzz_input.h"

// Input: one octet, and a capture file: pcap, pcapng, or either packed by gzip or zstd. The octet
// is not 0: a filter is set, and so many octets of a classic header stand before the rest.

namespace curlew {

namespace {

// Ethernet in microseconds, so that inputs need not find the first octets.
constexpr std::string_view kHeader{
    "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x01\x00\x00"
    "\x00",
    24};

void read_whole(probe::ReplayPort& port) {
    std::array<probe::PacketView, probe::kMaximumBurst> burst;
    uint64_t packets = 0;
    uint64_t octets = 0;
    while (port.state() == probe::PortState::running) {
        const size_t count = port.receive(burst);
        require(count <= burst.size());
        for (size_t i = 0; i < count; ++i) {
            require(burst[i].captured_octets <= burst[i].wire_octets);
            require(burst[i].time_ns <= probe::kLatestTimeNs);
            // Whoever reads the octets finds them readable.
            std::vector<uint8_t> copy(burst[i].data, burst[i].data + burst[i].captured_octets);
            octets += copy.size();
        }
        packets += count;
        port.release();
    }
    const probe::PortCounters counters = port.counters();
    require_ledger(counters.packets_offered ==
                   packets + counters.packets_filtered + counters.packets_missed);
    require_ledger(port.octets_captured() >= octets);
    require((port.state() == probe::PortState::broken) == !port.fault().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzInput input(data, size);
    const uint8_t kind = input.octet();
    std::string content(kHeader.substr(0, kind % (kHeader.size() + 1)));
    content += input.rest();
    const MemoryFile file(content);
    try {
        probe::ReplayPort port(file.path(), kind == 0 ? "" : "ip or vlan and tcp");
        read_whole(port);
    } catch (const std::runtime_error&) {
        // No capture: told in one sentence.
    }
    return 0;
}

}  // namespace curlew

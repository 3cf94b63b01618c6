#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "probe/port.h"

struct rte_bpf;
struct rte_mbuf;

namespace curlew::dpdk_port {

// A PortFilter over DPDK's packets: compiled by DPDK to machine code where memory protection
// permits and the code proves sound, else run by PortFilter::matches, which takes half the time of
// DPDK's interpreter. The verdict is the same. Never changes after construction, so any thread may
// call it.
class MbufFilter {
  public:
    // No instructions: every packet is wanted.
    explicit MbufFilter(const probe::PortFilter& filter);
    ~MbufFilter();
    MbufFilter(const MbufFilter&) = delete;
    MbufFilter& operator=(const MbufFilter&) = delete;

    // "", "jit" or "libpcap".
    std::string_view engine() const noexcept { return engine_; }
    bool wants_all() const noexcept { return instructions_.empty(); }

    // Requires: view shows what packet holds, in one piece.
    bool matches(const rte_mbuf& packet, const probe::PacketView& view) const noexcept;

  private:
    void load();

    std::vector<probe::BpfInstruction> instructions_;
    bool (*exact_)(std::span<const probe::BpfInstruction>,
                   const probe::PacketView&) noexcept = nullptr;
    std::string_view engine_;
    rte_bpf* program_ = nullptr;
    uint64_t (*code_)(void*) = nullptr;  // where there is machine code
};

// Whether DPDK is known to judge by these instructions as libpcap does, and to load them in
// reasonable time.
bool suits_dpdk(std::span<const probe::BpfInstruction> instructions);

}  // namespace curlew::dpdk_port

#include "probe/packet_filter.h"

#include <pcap/pcap.h>

#include <cstddef>
#include <memory>
#include <mutex>

#include "probe/link_types.h"

namespace curlew::probe {

static_assert(sizeof(BpfInstruction) == sizeof(bpf_insn));
static_assert(alignof(BpfInstruction) == alignof(bpf_insn));
static_assert(offsetof(BpfInstruction, code) == offsetof(bpf_insn, code));
static_assert(offsetof(BpfInstruction, jump_true) == offsetof(bpf_insn, jt));
static_assert(offsetof(BpfInstruction, jump_false) == offsetof(bpf_insn, jf));
static_assert(offsetof(BpfInstruction, k) == offsetof(bpf_insn, k));

namespace {

std::vector<BpfInstruction> compile(const std::string& expression, pcap_t* handle) {
    // libpcap promises no thread safety for pcap_compile.
    static std::mutex compiler_mutex;
    const std::lock_guard lock(compiler_mutex);
    constexpr int kOptimize = 1;
    bpf_program program{};
    if (pcap_compile(handle, &program, expression.c_str(), kOptimize, PCAP_NETMASK_UNKNOWN) != 0) {
        throw FilterError("filter \"" + expression + "\": " + pcap_geterr(handle));
    }
    const std::unique_ptr<bpf_program, decltype(&pcap_freecode)> guard(&program, pcap_freecode);
    std::vector<BpfInstruction> instructions;
    instructions.reserve(program.bf_len);
    for (const bpf_insn& one : std::span(program.bf_insns, program.bf_len)) {
        instructions.push_back({one.code, one.jt, one.jf, one.k});
    }
    return instructions;
}

bool run(std::span<const BpfInstruction> instructions, const PacketView& packet) noexcept {
    // Same layout, asserted above; libpcap only reads.
    const auto* program = reinterpret_cast<const bpf_insn*>(instructions.data());
    return bpf_filter(program, packet.data, packet.wire_octets, packet.captured_octets) != 0;
}

}  // namespace

PacketFilter::PacketFilter(const std::string& expression, LinkType link)
    : PacketFilter(expression, link_number(link), false) {}

PacketFilter::PacketFilter(const std::string& expression, uint32_t link_number, bool swapped)
    : instructions_(compile(expression, empty_capture(link_number, swapped).get())) {}

bool PacketFilter::matches(const PacketView& packet) const noexcept {
    return run(instructions_, packet);
}

PortFilter PacketFilter::for_port() const noexcept {
    // What an empty expression is compiled to: one instruction that takes every packet.
    const bool wants_all = instructions_.size() == 1 &&
                           instructions_[0].code == (BPF_RET | BPF_K) && instructions_[0].k != 0;
    if (wants_all) {
        return {};
    }
    return {instructions_, run};
}

}  // namespace curlew::probe

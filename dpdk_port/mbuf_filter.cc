#include "dpdk_port/mbuf_filter.h"

#include <rte_bpf.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <pcap/pcap.h>

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace curlew::dpdk_port {

using probe::BpfInstruction;

static_assert(sizeof(BpfInstruction) == sizeof(bpf_insn));
static_assert(offsetof(BpfInstruction, code) == offsetof(bpf_insn, code));
static_assert(offsetof(BpfInstruction, jump_true) == offsetof(bpf_insn, jt));
static_assert(offsetof(BpfInstruction, jump_false) == offsetof(bpf_insn, jf));
static_assert(offsetof(BpfInstruction, k) == offsetof(bpf_insn, k));

namespace {

// DPDK adds the octets to read to an offset in 32 bits: near their end it would read elsewhere.
constexpr uint32_t kFarthestOffset = 1U << 24;
constexpr uint32_t kLargestOctetMask = 127;
// Its validator walks each path on its own, so that some filters would never finish loading.
constexpr uint64_t kMostPaths = 100'000;

// What filters of addresses, ports and lengths are made of. With the rest DPDK 22.11 is at odds:
// it takes A for X where it loads one or four octets past X, reads wherever a packet's own numbers
// point, and shifts as the machine does.
bool is_plain(const BpfInstruction& one) {
    switch (one.code) {
        case BPF_LD | BPF_ABS | BPF_B:
        case BPF_LD | BPF_ABS | BPF_H:
        case BPF_LD | BPF_ABS | BPF_W:
        case BPF_LD | BPF_IND | BPF_H:
        case BPF_LDX | BPF_MSH | BPF_B:
            return one.k < kFarthestOffset;
        case BPF_JMP | BPF_JSET | BPF_K:
            // Its machine code takes a mask of one octet for one of four and runs astray.
            return one.k > kLargestOctetMask;
        case BPF_LD | BPF_W | BPF_LEN:
        case BPF_ALU | BPF_AND | BPF_K:
        case BPF_JMP | BPF_JA:
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_RET | BPF_K:
            return true;
        default:
            return false;
    }
}

// Ways through the program; classic BPF only jumps forward.
bool has_few_paths(std::span<const BpfInstruction> instructions) {
    std::vector<uint64_t> paths(instructions.size(), 1);
    for (size_t i = instructions.size(); i-- > 0;) {
        const BpfInstruction& one = instructions[i];
        const auto paths_at = [&](size_t target) {
            return target < paths.size() ? paths[target] : 1;
        };
        if (BPF_CLASS(one.code) == BPF_JMP) {
            paths[i] = BPF_OP(one.code) == BPF_JA
                           ? paths_at(i + 1 + one.k)
                           : paths_at(i + 1 + one.jump_true) + paths_at(i + 1 + one.jump_false);
        } else if (BPF_CLASS(one.code) != BPF_RET) {
            paths[i] = paths_at(i + 1);
        }
        if (paths[i] > kMostPaths) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool suits_dpdk(std::span<const BpfInstruction> instructions) {
    return std::ranges::all_of(instructions, is_plain) && has_few_paths(instructions);
}

MbufFilter::MbufFilter(const probe::PortFilter& filter)
    : instructions_(filter.instructions.begin(), filter.instructions.end()),
      exact_(filter.matches) {
    if (wants_all()) {
        return;
    }
    assert(exact_ != nullptr);
    engine_ = "libpcap";
    if (suits_dpdk(instructions_)) {
        load();
    }
}

void MbufFilter::load() {
    const bpf_program classic{
        .bf_len = static_cast<u_int>(instructions_.size()),
        .bf_insns = reinterpret_cast<bpf_insn*>(instructions_.data()),
    };
    rte_bpf_prm* const converted = rte_bpf_convert(&classic);
    if (converted == nullptr) {
        return;
    }
    program_ = rte_bpf_load(converted);
    // DPDK 22.11 also compiles programs to machine code, but some of that jumps into the middle of
    // instructions: it stops laying out code before the lengths of its jumps are settled.
    rte_free(converted);
}

MbufFilter::~MbufFilter() {
    if (program_ != nullptr) {
        rte_bpf_destroy(program_);
    }
}

bool MbufFilter::matches(const rte_mbuf& packet, const probe::PacketView& view) const noexcept {
    if (wants_all()) {
        return true;
    }
    // A chain can be shorter than it says, and DPDK would walk past its end.
    if (code_ == nullptr || packet.nb_segs > 1 || packet.pkt_len != packet.data_len) {
        return exact_(instructions_, view);
    }
    // It only reads.
    return code_(const_cast<rte_mbuf*>(&packet)) != 0;
}

}  // namespace curlew::dpdk_port

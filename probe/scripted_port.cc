#include "probe/scripted_port.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace curlew::probe {

namespace {

// What is handed out without a fault.
const std::string kNoFault;

}  // namespace

ScriptedPort::ScriptedPort(std::vector<ScriptedPacket> packets,
                           size_t burst_packets,
                           PortState at_end,
                           std::string fault)
    : packets_(std::move(packets)),
      burst_packets_(burst_packets),
      at_end_(at_end),
      fault_(std::move(fault)) {
    assert(burst_packets_ >= 1);
    assert(burst_packets_ <= kMaximumBurst);
    assert((at_end_ == PortState::broken) == !fault_.empty());
    for (ScriptedPacket& packet : packets_) {
        assert(packet.octets.size() <= kMaximumPacketOctets);
        const auto captured_octets = static_cast<uint32_t>(packet.octets.size());
        packet.wire_octets = packet.wire_octets == 0 ? captured_octets : packet.wire_octets;
        assert(packet.wire_octets >= captured_octets);
        ASAN_POISON_MEMORY_REGION(packet.octets.data(), packet.octets.size());
    }
}

ScriptedPort::~ScriptedPort() {
    for (const ScriptedPacket& packet : packets_) {
        ASAN_UNPOISON_MEMORY_REGION(packet.octets.data(), packet.octets.size());
    }
}

void ScriptedPort::lose(uint64_t packets, uint64_t octets) noexcept {
    counters_.packets_offered += packets;
    counters_.packets_missed += packets;
    counters_.octets_offered += octets;
}

size_t ScriptedPort::receive(std::span<PacketView, kMaximumBurst> burst) noexcept {
    assert(released_ == handed_out_);
    const size_t count = std::min(burst_packets_, packets_.size() - handed_out_);
    for (size_t i = 0; i < count; ++i) {
        const ScriptedPacket& packet = packets_[handed_out_ + i];
        ASAN_UNPOISON_MEMORY_REGION(packet.octets.data(), packet.octets.size());
        burst[i] = {.data = packet.octets.data(),
                    .time_ns = packet.time_ns,
                    .captured_octets = static_cast<uint32_t>(packet.octets.size()),
                    .wire_octets = packet.wire_octets,
                    .link = packet.link};
        counters_.packets_offered += 1;
        counters_.octets_offered += packet.wire_octets;
        now_ns_ = packet.time_ns;
    }
    handed_out_ += count;
    caught_up_ = count == 0;
    return count;
}

void ScriptedPort::release() noexcept {
    for (; released_ < handed_out_; ++released_) {
        const ScriptedPacket& packet = packets_[released_];
        ASAN_POISON_MEMORY_REGION(packet.octets.data(), packet.octets.size());
    }
}

PortState ScriptedPort::state() const noexcept {
    return handed_out_ < packets_.size() ? PortState::running : at_end_;
}

const std::string& ScriptedPort::fault() const noexcept {
    return state() == PortState::broken ? fault_ : kNoFault;
}

double ScriptedPort::progress() const noexcept {
    if (packets_.empty()) {
        return 1;
    }
    return static_cast<double>(handed_out_) / static_cast<double>(packets_.size());
}

}  // namespace curlew::probe

// Hot path.
#include "dpdk_port/dpdk_port.h"

#include <net/if.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "dpdk_port/frame_length.h"
#include "dpdk_port/xdp_use.h"

namespace curlew::dpdk_port {

using probe::kMaximumBurst;
using probe::kMaximumPacketOctets;
using probe::PacketView;
using probe::PortState;

namespace {

constexpr size_t kArenaOctets = kMaximumBurst * size_t{kMaximumPacketOctets};
constexpr uint64_t kNsPerMicrosecond = 1'000;

// A thread that DPDK knows has caches of its own in the buffer pools. Threads that it cannot take,
// since its table is full, go without.
class DpdkThread {
  public:
    DpdkThread() : is_ours_(rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() == 0) {}
    ~DpdkThread() {
        if (is_ours_) {
            rte_thread_unregister();
        }
    }
    DpdkThread(const DpdkThread&) = delete;
    DpdkThread& operator=(const DpdkThread&) = delete;

  private:
    bool is_ours_;
};

// Not earlier than `last_ns`: the kernel stamps a packet a little after we look at the clock. One
// stamp far ahead does not lead.
uint64_t not_before(uint64_t last_ns, uint64_t time_ns) noexcept {
    return time_ns < last_ns && last_ns - time_ns < DeviceClock::kStepNs ? last_ns : time_ns;
}

}  // namespace

DpdkPort::DpdkPort(DpdkPortConfig config)
    : config_(std::move(config)),
      clock_(config_.clock),
      line_clock_(config_.line_clock),
      arena_(std::make_unique_for_overwrite<uint8_t[]>(kArenaOctets)) {
    assert(config_.filter.instructions.empty() || config_.filter.matches != nullptr);
    assert(config_.is_removed != nullptr);
    assert(config_.stamp == Stamp::probe || config_.time_offset >= 0);
    assert(config_.stamp != Stamp::device || clock_.has_value());
    read_losses(at_start_);
}

DpdkPort::~DpdkPort() {
    release();
}

size_t DpdkPort::receive(std::span<PacketView, kMaximumBurst> burst) noexcept {
    assert(held_ == 0);
    if (state_ != PortState::running) {
        return 0;
    }
    if (!has_joined_) {
        join_thread();
    }
    held_ = rte_eth_rx_burst(config_.port_id, config_.queue, packets_.data(), kMaximumBurst);
    caught_up_ = held_ == 0;
    if (caught_up_) {
        look_around();
        return 0;
    }
    const std::span packets(packets_.data(), held_);
    for (const rte_mbuf* packet : packets) {
        rte_prefetch0(rte_pktmbuf_mtod(packet, const void*));
    }
    if (config_.stamp == Stamp::device) {
        calibrate();
    }
    const uint64_t burst_ns = burst_time();
    const bool wants_all = config_.filter.instructions.empty();
    size_t wanted = 0;
    for (const rte_mbuf* packet : packets) {
        PacketView& view = burst[wanted];
        view.data = rte_pktmbuf_mtod(packet, const uint8_t*);
        view.captured_octets = packet->data_len;
        if (packet->nb_segs > 1) {
            view.data = make_linear(*packet, view.captured_octets);
        }
        view.wire_octets = std::max(packet->pkt_len, view.captured_octets);
        if (view.wire_octets == kLongestOverPcap && config_.cuts_frames) {
            view.wire_octets = frame_octets_by_ip({view.data, view.captured_octets});
        }
        view.time_ns = packet_time(*packet, burst_ns);
        view.link = probe::LinkType::ethernet;
        received_.octets_offered += view.wire_octets;
        wanted += wants_all || config_.filter.matches(config_.filter.instructions, view) ? 1 : 0;
        last_ns_ = view.time_ns;
    }
    received_.packets_offered += held_;
    received_.packets_filtered += held_ - wanted;
    return wanted;
}

void DpdkPort::release() noexcept {
    rte_pktmbuf_free_bulk(packets_.data(), static_cast<unsigned>(held_));
    held_ = 0;
    arena_used_ = 0;
}

uint64_t DpdkPort::burst_time() noexcept {
    // A capture knows no other time than its packets'.
    if (!config_.is_live) {
        return last_ns_;
    }
    const uint64_t now_ns = line_clock_.now_ns();
    return config_.stamp == Stamp::kernel_microseconds ? last_ns_ : not_before(last_ns_, now_ns);
}

uint64_t DpdkPort::packet_time(const rte_mbuf& packet, uint64_t burst_ns) const noexcept {
    if (config_.stamp == Stamp::probe || (packet.ol_flags & config_.time_flag) == 0) {
        return burst_ns;
    }
    const uint64_t stamp =
        *RTE_MBUF_DYNFIELD(&packet, config_.time_offset, const rte_mbuf_timestamp_t*);
    if (config_.stamp == Stamp::device) {
        return clock_->time_ns(stamp);
    }
    // libpcap takes the seconds of a capture for signed; a capture's are 32 bits without a sign.
    constexpr uint64_t kAllSeconds_us = (uint64_t{1} << 32) * 1'000'000;
    const bool is_negative = static_cast<int64_t>(stamp) < 0;
    const uint64_t unsigned_us = config_.is_live ? 0 : stamp + kAllSeconds_us;
    const uint64_t stamp_us = is_negative ? unsigned_us : stamp;
    const uint64_t time_ns =
        std::min(stamp_us, probe::kLatestTimeNs / kNsPerMicrosecond) * kNsPerMicrosecond;
    return config_.is_live ? line_clock_.time_of_stamp(time_ns) : time_ns;
}

// The segments say how long the packet is: its own length may promise more.
const uint8_t* DpdkPort::make_linear(const rte_mbuf& packet, uint32_t& octets) noexcept {
    uint8_t* const copy = arena_.get() + arena_used_;
    octets = 0;
    for (const rte_mbuf* part = &packet; part != nullptr; part = part->next) {
        const uint32_t more = std::min<uint32_t>(part->data_len, kMaximumPacketOctets - octets);
        std::memcpy(copy + octets, rte_pktmbuf_mtod(part, const uint8_t*), more);
        octets += more;
    }
    arena_used_ += octets;
    return copy;
}

void DpdkPort::join_thread() noexcept {
    thread_local const DpdkThread thread;
    has_joined_ = true;
}

void DpdkPort::calibrate() noexcept {
    const uint64_t cycles = rte_get_tsc_cycles();
    if (cycles < next_calibrate_) {
        return;
    }
    next_calibrate_ = cycles + rte_get_tsc_hz();
    uint64_t ticks = 0;
    if (rte_eth_read_clock(config_.port_id, &ticks) == 0) {
        clock_->calibrate({ticks, line_clock_.now_ns()});
    }
}

// Only while nothing comes, and then once a second: whether the device is still there.
void DpdkPort::look_around() noexcept {
    const uint64_t cycles = rte_get_tsc_cycles();
    if (cycles < next_look_) {
        return;
    }
    next_look_ = cycles + rte_get_tsc_hz();
    if (config_.is_removed->load(std::memory_order_relaxed)) {
        break_off("it was taken out of this machine");
        return;
    }
    std::array<char, IF_NAMESIZE> name{};
    if (config_.interface_index != 0 &&
        if_indextoname(config_.interface_index, name.data()) == nullptr) {
        break_off("the interface " + config_.interface + " is gone");
        return;
    }
    if (config_.xdp_program != 0 && xdp_program(config_.interface_index) != config_.xdp_program) {
        break_off("the XDP program was taken off the interface " + config_.interface);
    }
}

void DpdkPort::break_off(const std::string& cause) noexcept {
    state_ = PortState::broken;
    fault_ = config_.device + ": " + cause;
}

uint64_t DpdkPort::now_ns() const noexcept {
    return config_.is_live ? not_before(last_ns_, line_clock_.now_ns()) : last_ns_;
}

bool DpdkPort::read_losses(Losses& losses) const noexcept {
    rte_eth_stats stats{};
    if (rte_eth_stats_get(config_.port_id, &stats) != 0) {
        return false;
    }
    losses = {stats.imissed, stats.ierrors, stats.rx_nombuf};
    return true;
}

probe::PortCounters DpdkPort::counters() const noexcept {
    if (Losses now; config_.tells_device_losses && read_losses(now)) {
        // A counter that somebody set to zero must not take back what was told.
        const auto since = [](uint64_t value, uint64_t start, uint64_t told) {
            return std::max(value - std::min(value, start), told);
        };
        losses_.missed = since(now.missed, at_start_.missed, losses_.missed);
        losses_.without_buffer =
            since(now.without_buffer, at_start_.without_buffer, losses_.without_buffer);
        if (config_.errors_are_packets) {
            losses_.errors = since(now.errors, at_start_.errors, losses_.errors);
        }
    }
    // Lost packets are added to those that came, since a device's own total may lag behind both.
    probe::PortCounters counters = received_;
    counters.packets_missed = losses_.missed;
    counters.packets_in_error = losses_.errors;
    counters.packets_without_buffer = losses_.without_buffer;
    counters.packets_offered += losses_.missed + losses_.errors + losses_.without_buffer;
    return counters;
}

}  // namespace curlew::dpdk_port

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "dpdk_port/device_clock.h"
#include "dpdk_port/driver_table.h"
#include "dpdk_port/line_clock.h"
#include "probe/port.h"

struct rte_mbuf;

namespace curlew::dpdk_port {

struct DpdkPortConfig {
    std::string device;  // for sentences
    uint16_t port_id = 0;
    uint16_t queue = 0;
    Stamp stamp = Stamp::probe;  // where times really come from
    int time_offset = -1;        // of the time field in a packet
    uint64_t time_flag = 0;      // set in packets that have it
    std::optional<DeviceClock> clock;
    LineClock line_clock = LineClock::open();  // of a live port
    bool is_live = true;
    std::string interface;           // of the kernel; empty: none
    uint32_t interface_index = 0;    // the interface with this name when it was opened
    uint32_t xdp_program = 0;        // that brings the packets; 0: none
    bool errors_are_packets = true;  // see Driver
    bool cuts_frames = false;        // at kLongestOverPcap, and does not say so
    // The device's own statistics, which DPDK does not tell by queue, are reported by one port.
    bool tells_device_losses = true;
    // Run by `matches`. DPDK 22.11 has machine code for filters too, but some of it jumps into the
    // middle of instructions or is never finished, and its interpreter takes twice the time.
    probe::PortFilter filter;                       // outlives the port
    const std::atomic<bool>* is_removed = nullptr;  // written by DPDK's thread; outlives the port
};

// One receive queue of a started device.
//
// Where packets bring their own times, now_ns() of a live port can be a little later than the time
// of a packet that the kernel still holds. A chain of buffers is copied into one piece.
class DpdkPort final : public probe::Port {
  public:
    explicit DpdkPort(DpdkPortConfig config);
    ~DpdkPort() override;
    DpdkPort(const DpdkPort&) = delete;
    DpdkPort& operator=(const DpdkPort&) = delete;

    size_t receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept override;
    void release() noexcept override;
    probe::PortState state() const noexcept override { return state_; }
    bool caught_up() const noexcept override { return caught_up_; }
    bool is_live() const noexcept override { return config_.is_live; }
    uint64_t now_ns() const noexcept override;
    probe::ClockSteps clock_steps() const noexcept override { return line_clock_.steps(); }
    // Losses are those since construction; of a device with several queues the first one tells
    // them all.
    probe::PortCounters counters() const noexcept override;
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return -1; }

  private:
    struct Losses {
        uint64_t missed = 0;
        uint64_t errors = 0;
        uint64_t without_buffer = 0;
    };

    void join_thread() noexcept;
    uint64_t burst_time() noexcept;
    uint64_t packet_time(const rte_mbuf& packet, uint64_t burst_ns) const noexcept;
    const uint8_t* make_linear(const rte_mbuf& packet, uint32_t& octets) noexcept;
    void calibrate() noexcept;
    void look_around() noexcept;
    void break_off(const std::string& cause) noexcept;
    bool read_losses(Losses& losses) const noexcept;

    const DpdkPortConfig config_;
    std::optional<DeviceClock> clock_;
    mutable LineClock line_clock_;  // its readings are in the order of their asking
    std::array<rte_mbuf*, probe::kMaximumBurst> packets_{};
    size_t held_ = 0;  // of packets_, until release()
    bool caught_up_ = false;
    // Room for a burst of the longest packets. The system gives memory only for what is used.
    std::unique_ptr<uint8_t[]> arena_;
    size_t arena_used_ = 0;

    bool has_joined_ = false;
    uint64_t last_ns_ = 0;         // of the last packet, or reading of the clock
    uint64_t next_look_ = 0;       // in cycles of the processor
    uint64_t next_calibrate_ = 0;  // likewise

    probe::PortState state_ = probe::PortState::running;
    std::string fault_;
    probe::PortCounters received_;  // without losses
    Losses at_start_;
    mutable Losses losses_;  // as last read: a device that is gone tells nothing any more
};

}  // namespace curlew::dpdk_port

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "probe/port.h"

namespace curlew::probe {

struct ScriptedPacket {
    uint64_t time_ns = 0;
    std::vector<uint8_t> octets;
    uint32_t wire_octets = 0;  // 0: as many as `octets` has
    LinkType link = LinkType::ethernet;
};

// A port that hands out what it was told, at times it is told: for tests and virtual time.
// Under a sanitizer every packet is out of reach before it is received and after its release.
class ScriptedPort final : public Port {
  public:
    // Bursts have `burst_packets` packets while there are so many. When none is left the state is
    // `at_end`: `running` is a quiet line, `broken` has `fault` as its sentence.
    // Requires: 1 <= burst_packets <= kMaximumBurst.
    explicit ScriptedPort(std::vector<ScriptedPacket> packets,
                          size_t burst_packets = kMaximumBurst,
                          PortState at_end = PortState::ended,
                          std::string fault = "");
    ~ScriptedPort() override;
    ScriptedPort(const ScriptedPort&) = delete;
    ScriptedPort& operator=(const ScriptedPort&) = delete;

    // From now on a live port. Requires: nothing was received yet.
    void make_live() noexcept { is_live_ = true; }

    // The clock stands at the last packet handed out, or where it was set since. Any thread.
    void set_clock(uint64_t now_ns) noexcept { now_ns_.store(now_ns, std::memory_order_relaxed); }

    // Packets that the source had and lost, as a device would count them.
    void lose(uint64_t packets, uint64_t octets) noexcept;

    size_t receive(std::span<PacketView, kMaximumBurst> burst) noexcept override;
    void release() noexcept override;
    PortState state() const noexcept override;
    bool caught_up() const noexcept override { return caught_up_; }
    bool is_live() const noexcept override { return is_live_; }
    uint64_t now_ns() const noexcept override { return now_ns_.load(std::memory_order_relaxed); }
    PortCounters counters() const noexcept override { return counters_; }
    const std::string& fault() const noexcept override;
    double progress() const noexcept override;

  private:
    std::vector<ScriptedPacket> packets_;
    size_t burst_packets_;
    PortState at_end_;
    std::string fault_;
    size_t released_ = 0;  // packets_ before this were given back
    size_t handed_out_ = 0;
    bool caught_up_ = false;
    std::atomic<uint64_t> now_ns_{0};
    bool is_live_ = false;
    PortCounters counters_;
};

}  // namespace curlew::probe

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "probe/capture_losses.h"
#include "probe/capture_stream.h"
#include "probe/packet_filter.h"
#include "probe/port.h"

struct pcap;

namespace curlew::probe {

// A capture file as a port: pcap or pcapng, micro- or nanoseconds, plain, gzip or zstd, told by
// content and not by name. Memory is fixed at construction. What stands before damage or a cut is
// handed out; then the state is broken.
//
// Times outside 0 .. kMaximumTimeNs are moved to that bound. A wire length below the captured one
// is raised to it, one above kMaximumPacketOctets is taken for it. A frame check sequence that the
// file announces, or in pcapng all interfaces before the first packet, is taken off. A packet of
// pcapng that has no time has that of the one before.
class ReplayPort final : public Port {
  public:
    // Past every 32-bit count of seconds, and sums and differences of two times fit 64 bits.
    static constexpr uint64_t kMaximumTimeNs = kLatestTimeNs;

    // Packets that `filter_expression` (pcap-filter(7); empty: all are wanted) does not match are
    // counted and not handed out. Throws FilterError when the expression is wrong, else
    // std::runtime_error "<file>: <cause>".
    explicit ReplayPort(const std::filesystem::path& file,
                        const std::string& filter_expression = "",
                        CaptureStream::Witness witness = {});
    ~ReplayPort() override;
    ReplayPort(const ReplayPort&) = delete;
    ReplayPort& operator=(const ReplayPort&) = delete;

    // May return 0 while running: after many packets that the filter does not want.
    size_t receive(std::span<PacketView, kMaximumBurst> burst) noexcept override;
    void release() noexcept override;
    PortState state() const noexcept override { return state_; }
    bool caught_up() const noexcept override { return caught_up_; }
    bool is_live() const noexcept override { return false; }
    // Time of the last packet handed out.
    uint64_t now_ns() const noexcept override { return now_ns_; }
    // By the statistics with which a recording (RECORDING.md) and other programs close a capture,
    // where it has nanoseconds.
    uint64_t end_ns() const noexcept override { return end_ns_; }
    // At its end with what the capture says itself that it lost, as missed (capture_losses.h).
    PortCounters counters() const noexcept override { return counters_; }
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return stream_.progress(); }

    // Shows the witness what is left of the file when no packet will be read any more. Returns the
    // file's length. Throws std::runtime_error "<file>: <cause>" when it cannot be read.
    uint64_t read_rest_of_file();

    // Captured octets of all packets offered.
    uint64_t octets_captured() const noexcept { return octets_captured_; }

    // The file's clock is finer than a microsecond; in pcapng that of the first interface.
    bool nanosecond() const noexcept { return nanosecond_; }

    // The link type as libpcap names it, for example "EN10MB".
    const std::string& link_name() const noexcept { return link_name_; }

  private:
    struct CloseFile {
        void operator()(std::FILE* file) const noexcept;
    };
    struct CloseCapture {
        void operator()(pcap* capture) const noexcept;
    };

    static ssize_t read_stream(void* port, char* out, size_t size) noexcept;
    void open_capture(const std::filesystem::path& file);
    void find_link(const std::filesystem::path& file);
    bool read_packet(PacketView& packet) noexcept;
    void stop(int result) noexcept;

    std::filesystem::path file_;
    // In this order, for the capture reads through the buffer from the stream.
    CaptureStream stream_;
    CaptureLosses losses_;
    std::unique_ptr<char[]> file_buffer_;
    std::unique_ptr<pcap, CloseCapture> capture_;

    std::optional<PacketFilter> filter_;
    // libpcap keeps a packet until the next is read only, so a burst's packets are copied here.
    std::unique_ptr<uint8_t[]> arena_;
    size_t arena_used_ = 0;

    LinkType link_ = LinkType::ethernet;
    std::string link_name_;
    uint32_t fcs_octets_ = 0;  // at the end of each packet
    bool is_pcapng_ = false;
    bool nanosecond_ = false;

    PortState state_ = PortState::running;
    bool caught_up_ = false;
    std::string fault_;
    uint64_t now_ns_ = 0;
    uint64_t read_ns_ = 0;  // time of the packet read last, wanted by the filter or not
    uint64_t end_ns_ = 0;
    uint64_t octets_captured_ = 0;
    PortCounters counters_;
};

}  // namespace curlew::probe

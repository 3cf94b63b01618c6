#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probe/capture_reader.h"
#include "probe/capture_stream.h"
#include "probe/packet_filter.h"
#include "probe/port.h"

namespace curlew::probe {

// A capture file as a port: pcap or pcapng, micro- or nanoseconds, plain, gzip or zstd, told by
// content and not by name, its packets as capture_reader.h has them. Memory is bounded. What stands
// before damage or a cut is handed out; then the state is broken.
//
// Packets of a link type that is not supported are handed out as such; a file that tells of no
// other before its first packet is refused. No filter wants them, nor those of a link type for
// which libpcap cannot have the expression.
class ReplayPort final : public Port {
  public:
    // Packets that `filter_expression` (pcap-filter(7); empty: all are wanted) does not match are
    // counted and not handed out. Throws FilterError when the expression is wrong for all that the
    // file tells of before its first packet, else std::runtime_error "<file>: <cause>".
    explicit ReplayPort(const std::filesystem::path& file,
                        const std::string& filter_expression = "",
                        CaptureStream::Witness witness = {});
    ~ReplayPort() override;
    ReplayPort(const ReplayPort&) = delete;
    ReplayPort& operator=(const ReplayPort&) = delete;

    // May return 0 while running: after many packets that the filter does not want, or much between
    // two packets.
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
    // At its end with what the capture says itself that it lost, as missed.
    PortCounters counters() const noexcept override { return counters_; }
    LossIntervals losses() const noexcept override {
        return state_ == PortState::running ? LossIntervals{} : reader_->losses();
    }
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return stream_.progress(); }

    // Shows the witness what is left of the file when no packet will be read any more. Returns the
    // file's length. Throws std::runtime_error "<file>: <cause>" when it cannot be read.
    uint64_t read_rest_of_file();

    // Captured octets of all packets offered.
    uint64_t octets_captured() const noexcept { return octets_captured_; }

    // The file's clock is finer than a microsecond; in pcapng that of the first interface.
    bool nanosecond() const noexcept { return reader_->nanosecond(); }

    // The link types of its interfaces, used or not, as libpcap names them, for example "EN10MB";
    // of several "EN10MB,RAW", as far as it has told of them, in that order; of unsupported ones
    // the first.
    std::string link_names() const;

  private:
    // True: a packet. False: the state is no longer running, or more of the stream is wanted than
    // is to be read: `fills` times, each of which moves octets.
    bool read_packet(CapturedPacket& packet, size_t& fills) noexcept;
    // Octets from the stream behind those unread. False: there are no more.
    bool fill_window() noexcept;
    // For all links told of so far. The first fault, if the expression does not do for one.
    std::optional<FilterError> make_filters();
    // Requires: there is a filter.
    bool is_wanted(const CapturedPacket& packet) noexcept;
    void begin();
    void stop_at_end() noexcept;
    // Without a fault: the capture has ended.
    void stop(std::string fault) noexcept;

    std::filesystem::path file_;
    std::string filter_expression_;
    CaptureStream stream_;
    std::unique_ptr<CaptureReader> reader_;
    // Packets are handed out where they lie in it.
    std::unique_ptr<uint8_t[]> window_;
    std::span<uint8_t> unread_;                         // of the window
    std::optional<CapturedPacket> pending_;             // read, to know what is before it
    std::vector<std::optional<PacketFilter>> filters_;  // by link; nothing: wants none

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

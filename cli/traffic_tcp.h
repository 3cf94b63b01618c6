#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/traffic_frames.h"
#include "cli/traffic_writer.h"

namespace curlew::cli {

struct TcpStyle {
    uint16_t client_window = 5840;
    uint16_t server_window = 28960;
    bool timestamps = false;  // RFC 7323, with window scale and SACK as hosts that do it offer
    uint64_t round_trip_ns = kMillisecondNs;
};

// One TCP connection, as seen beside the client. Each call goes on where the last one ended.
class TcpConversation {
  public:
    TcpConversation(TrafficCapture& capture,
                    TrafficHost& client,
                    uint16_t client_port,
                    TrafficHost& server,
                    uint16_t server_port,
                    TcpStyle style,
                    std::string_view label);

    void open(uint64_t time_ns);
    // In segments of the largest size, acknowledged by the other side.
    void client_sends(std::string_view payload);
    void server_sends(std::string_view payload);
    // As client_sends, but the segment is lost behind the capture and sent again.
    // Requires: it fits into one.
    void client_sends_twice(std::string_view payload);
    void close();
    void pause(uint64_t duration_ns) { now_ns_ += duration_ns; }
    uint64_t now_ns() const noexcept { return now_ns_; }

  private:
    struct Side {
        TrafficHost& host;
        uint16_t port;
        uint16_t window;
        uint32_t next_sequence;
        uint32_t clock;  // of its timestamps, milliseconds, at the beginning
        uint32_t last_heard_clock;
    };

    void segment(Side& from, Side& to, uint8_t flags, std::string_view payload);
    std::string options_of(Side& from, Side& to, uint8_t flags);
    void send(Side& from, Side& to, std::string_view payload);
    uint64_t think_ns();

    TrafficCapture& capture_;
    TcpStyle style_;
    Side client_;
    Side server_;
    uint64_t now_ns_ = 0;
};

}  // namespace curlew::cli

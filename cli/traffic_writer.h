#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/traffic.h"
#include "cli/traffic_random.h"

namespace curlew::cli {

inline constexpr uint64_t kMillisecondNs = 1'000'000;
inline constexpr uint64_t kSecondNs = 1'000'000'000;

enum class TimeUnit : uint8_t { microseconds, nanoseconds };

// Who a flow is between; the same for both directions.
struct TrafficEndpoint {
    uint32_t address = 0;
    uint16_t port = 0;
    auto operator<=>(const TrafficEndpoint&) const = default;
};

// Frames of one capture, in any order until written.
class TrafficCapture {
  public:
    explicit TrafficCapture(uint64_t seed);

    TrafficRandom& random() noexcept { return random_; }
    // Another one each time, so that no two flows become one by chance.
    uint16_t ephemeral_port();
    // When the capture begins, since 1970.
    uint64_t start_ns() const noexcept { return start_ns_; }

    // Ethernet from the destination address on, without frame check sequence; short ones are
    // padded as on a wire.
    void add_frame(uint64_t time_ns, std::string frame);

    // Tells the published label of an IPv4 flow. Requires: always the same for one flow.
    void expect_flow(TrafficEndpoint from,
                     TrafficEndpoint to,
                     uint8_t protocol,
                     std::string_view label);
    // Two addresses of 16 octets and ports told as text, the same for both directions.
    void expect_ipv6_flow(std::string_view flow);
    void count_not_ip() noexcept { ++not_ip_; }

    TrafficSummary summary() const;
    // Throws std::runtime_error with one sentence.
    void write(const std::filesystem::path& path, TimeUnit unit);
    // The frames in order of time. The capture has none any more.
    std::vector<std::string> take_frames();

  private:
    struct Frame {
        uint64_t time_ns;
        std::string octets;
    };
    struct FlowKey {
        TrafficEndpoint low;
        TrafficEndpoint high;
        uint8_t protocol;
        auto operator<=>(const FlowKey&) const = default;
    };

    void sort_frames();
    std::string file_of(TimeUnit unit);

    TrafficRandom random_;
    uint64_t start_ns_ = 0;
    uint64_t last_port_ = 0;
    std::vector<Frame> frames_;
    std::map<FlowKey, std::string> flows_;
    std::set<std::string, std::less<>> ipv6_flows_;
    uint64_t not_ip_ = 0;
};

}  // namespace curlew::cli

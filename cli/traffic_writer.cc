#include "cli/traffic_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "cli/traffic_octets.h"

namespace curlew::cli {
namespace {

constexpr size_t kShortestFrameOctets = 60;
constexpr size_t kLongestFrameOctets = 1514;

// 2019-01-01; the seed moves it by up to a day.
constexpr uint64_t kFirstStartNs = 1'546'300'800 * kSecondNs;
constexpr uint64_t kLatestStartSeconds = 86'399;

constexpr uint64_t kFirstEphemeralPort = 32'768;
constexpr uint64_t kLatestFirstPort = 40'000;
constexpr uint64_t kLastEphemeralPort = 60'999;
constexpr uint64_t kLongestPortStep = 200;

constexpr uint32_t kMicrosecondMagic = 0xa1b2c3d4;
constexpr uint32_t kNanosecondMagic = 0xa1b23c4d;
constexpr uint32_t kSnapOctets = 65'535;
constexpr uint32_t kLinkTypeEthernet = 1;

}  // namespace

TrafficCapture::TrafficCapture(uint64_t seed) : random_(seed) {
    start_ns_ = kFirstStartNs + random_.between(0, kLatestStartSeconds) * kSecondNs;
    start_ns_ += random_.between(0, kSecondNs - 1);
    last_port_ = random_.between(kFirstEphemeralPort, kLatestFirstPort);
}

// Rising in steps, as hosts hand them out.
uint16_t TrafficCapture::ephemeral_port() {
    last_port_ += random_.between(1, kLongestPortStep);
    assert(last_port_ <= kLastEphemeralPort);
    return static_cast<uint16_t>(last_port_);
}

void TrafficCapture::add_frame(uint64_t time_ns, std::string frame) {
    assert(time_ns >= start_ns_);
    assert(frame.size() <= kLongestFrameOctets);
    if (frame.size() < kShortestFrameOctets) {
        frame.resize(kShortestFrameOctets, '\0');
    }
    frames_.push_back({.time_ns = time_ns, .octets = std::move(frame)});
}

void TrafficCapture::expect_flow(TrafficEndpoint from,
                                 TrafficEndpoint to,
                                 uint8_t protocol,
                                 std::string_view label) {
    const auto [low, high] = std::minmax(from, to);
    const FlowKey key = {.low = low, .high = high, .protocol = protocol};
    const auto [flow, is_new] = flows_.try_emplace(key, label);
    static_cast<void>(is_new);
    assert(flow->second == label);
}

void TrafficCapture::expect_ipv6_flow(std::string_view flow) {
    ipv6_flows_.emplace(flow);
}

TrafficSummary TrafficCapture::summary() const {
    TrafficSummary summary = {.packets = frames_.size(),
                              .packets_not_ip = not_ip_,
                              .flow_types = {},
                              .flows_ipv6 = ipv6_flows_.size()};
    for (const auto& [key, label] : flows_) {
        ++summary.flow_types[label];
    }
    return summary;
}

void TrafficCapture::sort_frames() {
    std::stable_sort(frames_.begin(), frames_.end(), [](const Frame& left, const Frame& right) {
        return left.time_ns < right.time_ns;
    });
}

std::vector<std::string> TrafficCapture::take_frames() {
    sort_frames();
    std::vector<std::string> frames;
    frames.reserve(frames_.size());
    for (Frame& frame : frames_) {
        frames.push_back(std::move(frame.octets));
    }
    frames_.clear();
    return frames;
}

// The classic format of libpcap: a header of 24 octets, then 16 octets before each frame.
std::string TrafficCapture::file_of(TimeUnit unit) {
    sort_frames();
    const bool fine = unit == TimeUnit::nanoseconds;
    std::string file;
    put32_little(file, fine ? kNanosecondMagic : kMicrosecondMagic);
    put16_little(file, 2);
    put16_little(file, 4);
    put32_little(file, 0);
    put32_little(file, 0);
    put32_little(file, kSnapOctets);
    put32_little(file, kLinkTypeEthernet);
    for (const Frame& frame : frames_) {
        const uint64_t below_second_ns = frame.time_ns % kSecondNs;
        put32_little(file, frame.time_ns / kSecondNs);
        put32_little(file, fine ? below_second_ns : below_second_ns / 1000);
        put32_little(file, frame.octets.size());
        put32_little(file, frame.octets.size());
        file += frame.octets;
    }
    return file;
}

void TrafficCapture::write(const std::filesystem::path& path, TimeUnit unit) {
    // A rename would put a file in the place of a device or a link, /dev/null for one.
    std::error_code absent;
    const auto status = std::filesystem::symlink_status(path, absent);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        throw std::runtime_error(
            fmt::format("{}: is there already and no regular file", path.string()));
    }
    const std::string file = file_of(unit);
    const std::filesystem::path open_path = path.string() + ".open";
    std::ofstream out(open_path, std::ios::binary | std::ios::trunc);
    out.write(file.data(), static_cast<std::streamsize>(file.size()));
    out.close();
    if (!out) {
        const std::string cause = std::strerror(errno);
        std::error_code ignored;
        std::filesystem::remove(open_path, ignored);
        throw std::runtime_error(fmt::format("{}: cannot be written: {}", path.string(), cause));
    }
    std::error_code failure;
    std::filesystem::rename(open_path, path, failure);
    if (failure) {
        std::error_code ignored;
        std::filesystem::remove(open_path, ignored);
        throw std::runtime_error(
            fmt::format("{}: cannot be written: {}", path.string(), failure.message()));
    }
}

}  // namespace curlew::cli

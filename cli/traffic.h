#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

// `curlew traffic`: made-up captures of what a device says, for demonstrations and golden cases.
// Every octet follows from scenario and seed alone.

namespace curlew::cli {

struct TrafficScenario {
    std::string_view name;
    std::string_view group;  // the group file whose published rules name the flows
    std::string_view description;
};

// In the order in which they are listed to people.
std::span<const TrafficScenario> traffic_scenarios() noexcept;

struct TrafficConfig {
    std::string scenario;
    std::filesystem::path output;
    uint64_t seed = 1;
};

struct TrafficSummary {
    uint64_t packets = 0;
    uint64_t packets_not_ip = 0;  // ARP, spanning tree
    // IPv4 flows, as 5-tuples in either direction, by the published label that the scenario's
    // group gives them. The published records have no IPv6.
    std::map<std::string, uint64_t> flow_types;
    uint64_t flows_ipv6 = 0;
};

// Writes a pcap file, replacing one of that name only when the new one is whole. Throws
// std::runtime_error with one sentence for an unknown scenario or a file that cannot be written.
TrafficSummary write_traffic(const TrafficConfig& config);

}  // namespace curlew::cli

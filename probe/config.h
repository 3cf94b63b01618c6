#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "probe/flow_meter.h"
#include "probe/recording_folder.h"
#include "proto/channel.h"

// The probe's configuration file: TOML, read whole, every problem told at its line and column.
// deploy/probe.toml is its manual.

namespace curlew::probe {

struct PortConfig {
    std::string device;   // as DPDK names it: "0000:03:00.0", "net_af_xdp0,iface=eth1", ...
    uint16_t queues = 1;  // receive queues asked for; virtual devices bring their own number
};

// Which of the metered packets are recorded, and where (RECORDING.md).
struct RecordConfig {
    std::filesystem::path folder;                 // empty: nothing is recorded
    std::string filter;                           // pcap-filter(7); empty: all
    std::vector<std::string> protocols;           // of flows, as signatures tell them; empty: any
    uint64_t octets_per_flow = 0;                 // 0: all
    uint64_t buffer_octets = uint64_t{64} << 20;  // of each worker
    RecordingRotation rotate;
    RecordingRetention keep;
};

struct ProbeConfig {
    std::string name;  // [a-z0-9-], 1 to 32: unique among the probes of a collector
    std::vector<PortConfig> ports;
    std::string filter;                 // pcap-filter(7); empty: all
    bool allow_uncounted_loss = false;  // open devices that cannot count what they lose
    CopyConfig copies;
    size_t workers = 0;      // 0: as many as there are queues
    std::vector<int> cores;  // empty: not pinned
    uint32_t idle_sleep_us = 50;
    std::string profile = "dataset";  // or "line-rate"
    PacketListConfig list;
    bool decapsulate = true;             // meter what is inside tunnels
    uint64_t flow_capacity = 1'048'576;  // or what goes into `memory`, where that is given
    uint64_t memory_octets = 0;          // of the flow tables; 0: not given
    Timeouts timeouts;
    std::filesystem::path signatures;             // empty: the installation's
    std::string collector;                        // endpoint: "tcp://ADDRESS:PORT" or "ipc://PATH"
    std::filesystem::path key_file;               // this probe's secret key; empty: no tcp
    std::string collector_key;                    // the collector's public key
    uint64_t queue_octets = uint64_t{256} << 20;  // unacknowledged frames in memory
    // Folder of the spool; empty: `spool` in the folder of STATE_DIRECTORY (systemd's), and where
    // that is not set there is no spool.
    std::string spool;
    uint64_t spool_octets = uint64_t{8} << 30;  // of frames in it; 0: there is no spool
    // Of what finds no room any more: "newest", or "oldest", which makes room for it.
    std::string drop = "newest";
    uint32_t ledger_seconds = 5;
    uint32_t drain_seconds = 10;  // at the end, for the last acknowledgement
    RecordConfig record;
    std::vector<std::string> eal_options;
};

// Throws signatures::ConfigError.
ProbeConfig load_config(const std::filesystem::path& file);

// What the channel is to know of keys: none for other endpoints than tcp. Throws
// signatures::ConfigError when they are missing and not `insecure`, or the key file cannot be used.
std::optional<proto::SenderKeys> sender_keys(const ProbeConfig& config, bool insecure);

// The whole configuration in force, defaults included, as TOML that load_config() takes.
std::string print_config(const ProbeConfig& config);

}  // namespace curlew::probe

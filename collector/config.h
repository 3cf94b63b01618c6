#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "collector/record_writer.h"
#include "proto/channel.h"

// The collector's configuration file: TOML, read whole, every problem told at its line and column.
// deploy/collector.toml is its manual.

namespace curlew::collector {

// When a dataset is cut.
struct Rotation {
    uint32_t minutes = 10;                // of packet time; 0: by size and at the end only
    uint64_t octets = uint64_t{1} << 30;  // of received records that wait to be sealed
};

// What is kept, each 0 for no bound: the oldest sealed datasets go first.
struct Retention {
    uint32_t days = 0;      // since a dataset was sealed
    uint64_t octets = 0;    // of datasets and manifests together
    uint64_t min_free = 0;  // octets that stay free on the file system
};

struct GroupConfig {
    std::string name;                                        // of a group file
    std::vector<std::string> devices;                        // addresses, prefixes, MAC addresses
    std::vector<std::pair<std::string, std::string>> roles;  // role to address
};

// A probe that may speak over tcp. Several keys of one name are one probe that changes its key.
struct ProbeKey {
    std::string name;
    std::string public_key;
};

struct CollectorConfig {
    std::vector<std::string> listen;  // endpoints, at least one
    std::filesystem::path key_file;   // the collector's secret key; empty: no tcp
    std::vector<ProbeKey> probes;
    std::string metrics;  // where they are served: ADDRESS:PORT; empty: nowhere
    std::filesystem::path archive;
    std::string scenario = "live";
    FieldSet fields = FieldSet::standard;
    bool compress = true;
    Rotation rotate;
    Retention keep;
    std::string default_group = "any";
    std::vector<GroupConfig> groups;   // the first that matches wins
    std::filesystem::path signatures;  // folder with groups/; empty: the installation's
};

// Throws signatures::ConfigError. Group files are not read here.
CollectorConfig load_config(const std::filesystem::path& file);

// What the channel is to know of keys. Throws signatures::ConfigError when tcp is listened at
// without keys and not `insecure`, or when the key file cannot be used.
proto::ReceiverConfig receiver_config(const CollectorConfig& config, bool insecure);

// The whole configuration in force, defaults included, as TOML that load_config() takes.
std::string print_config(const CollectorConfig& config);

}  // namespace curlew::collector

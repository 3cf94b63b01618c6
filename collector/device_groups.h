#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "collector/config.h"
#include "proto/flow.pb.h"
#include "signatures/group_rules.h"

// Which group's rules and folder a record of a live line goes to: by its endpoints' addresses or
// MAC addresses, as the configuration maps them.

namespace curlew::collector {

class DeviceGroups {
  public:
    // Reads the group files. Throws signatures::ConfigError with one sentence: no such group, a bad
    // file, an address that is none, a role that the group does not have, a signature file with a
    // problem.
    DeviceGroups(const CollectorConfig& config, const std::filesystem::path& signatures_folder);
    ~DeviceGroups();

    // Index of the group; the default group is the last.
    size_t group_of(const proto::FlowSummary& flow) const;

    size_t size() const noexcept;
    const std::string& name(size_t group) const;
    const signatures::GroupRules& rules(size_t group) const;
    LabelRules label_rules(size_t group) const;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::collector

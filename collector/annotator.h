#pragma once

#include <string>

#include "collector/devices.h"
#include "collector/flow_facts.h"
#include "collector/label.h"
#include "collector/labeller.h"
#include "collector/line_memory.h"
#include "proto/flow.pb.h"
#include "signatures/content_rules.h"
#include "signatures/group_rules.h"

// Names what a flow is, twice: `flow_type` by the published rules of the group, seen as the
// published records saw the flow, and a content label that says what it rests on.

namespace curlew::collector {

// What labels are given by. All outlive whoever has this.
struct LabelRules {
    const signatures::GroupRules& group;
    const signatures::ContentRules& content;
    const MacVendors& vendors;
};

struct Annotation {
    std::string flow_type;
    Label label;
};

// "<group>-<16 hex digits>" of the hashes of the group's rules and of the signatures.
std::string ruleset_name(const std::string& group,
                         const std::string& rules_hash,
                         const std::string& signatures_hash);

// The records of one dataset, in their order.
class Annotator {
  public:
    // Requires: the rules have no problems; `memory` has taken all flows, and outlives this.
    Annotator(const LabelRules& rules, const LineMemory& memory);

    // `facts` are the flow's; names that the initiator was told for the responder, or the other way
    // round, are added to them.
    Annotation annotate(const proto::FlowSummary& flow, FlowFacts& facts);

    // Of the line, with the group's roles.
    const std::vector<Device>& devices() const noexcept { return devices_; }

    // The published rules' alone.
    std::string flow_type(const proto::FlowSummary& flow) const;

    // What label.ruleset holds.
    const std::string& ruleset() const noexcept { return ruleset_; }

  private:
    const signatures::GroupRules& group_;
    const LineMemory& memory_;
    std::vector<Device> devices_;
    DeviceWords device_words_;
    Labeller labeller_;
    std::string ruleset_;
};

}  // namespace curlew::collector

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/devices.h"
#include "collector/flow_facts.h"
#include "collector/found_devices.h"
#include "collector/label.h"
#include "collector/label_fields.h"
#include "collector/labeller.h"
#include "collector/line_memory.h"
#include "collector/octet_memory.h"
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
    std::shared_ptr<const WrittenLabel> label;
    std::string device;  // of one end, see devices.h

    const Label& content() const { return *label->label; }
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

    // `messages` are the flow's, as far as they were decoded; without a flow id it is continued by
    // no other and continues none.
    Annotation annotate(const proto::FlowSummary& flow,
                        const MessageFacts& messages,
                        std::string_view flow_id);

    // All that a label is given by: the flow's facts, what its messages say, and the names that the
    // initiator was told for the responder, or the other way round.
    FlowFacts facts(const proto::FlowSummary& flow, const MessageFacts& messages) const;

    // See AddressNames::complete().
    bool names_complete() const noexcept { return memory_.names().complete(); }
    // Of the line, with the group's roles. When all is annotated: leaves none.
    DeviceList devices_of_dataset(const AddressSpan& span, size_t most) {
        return devices_.of_dataset(span, most);
    }

    // The published rules' alone.
    std::string flow_type(const proto::FlowSummary& flow) const;

    // What label.ruleset holds.
    const std::string& ruleset() const noexcept { return ruleset_; }

  private:
    void make_label_key(const proto::FlowSummary& flow,
                        const MessageFacts& messages,
                        const std::vector<Fact>& names);
    std::shared_ptr<const WrittenLabel> label_by_content(const proto::FlowSummary& flow,
                                                         const MessageFacts& messages);

    const signatures::GroupRules& group_;
    const LineMemory& memory_;
    FoundDevices devices_;
    DeviceWords device_words_;
    Labeller labeller_;
    std::string ruleset_;
    OctetMemory<std::shared_ptr<const WrittenLabel>> labels_;  // by what decides them
    std::string key_;
    JsonLine json_;
};

}  // namespace curlew::collector

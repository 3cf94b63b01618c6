#pragma once

#include <string>
#include <vector>

#include "proto/flow.pb.h"
#include "signatures/group_rules.h"

// Names what a flow is, twice: `flow_type` by the published rules of the group, seen as the
// published records saw the flow, and a content label that says what it rests on.

namespace curlew::collector {

struct Label {
    std::string type;        // what the strongest match with a label says; "unknown" if none does
    std::string protocol;    // empty: not known
    std::string service;     // empty: not known
    std::string confidence;  // "certain" or "guess", fixed by the kind of the strongest evidence
    // The matches of the flow that the three names above rest on, strongest kind first; empty:
    // nothing is known. They point into the flow.
    std::vector<const proto::Match*> evidence;
};

struct Annotation {
    std::string flow_type;
    Label label;
};

// As records and `--json` name it; "none" for unspecified.
const char* name_of(proto::EvidenceKind kind) noexcept;

// Kind of the strongest evidence, "none" when there is none.
const char* strongest_evidence(const Label& label) noexcept;

class Annotator {
  public:
    // Requires: the rules outlive the annotator and have no problems.
    explicit Annotator(const signatures::GroupRules& rules);

    // The annotation points into the flow.
    Annotation annotate(const proto::FlowSummary& flow) const;

    // "<group>-<hash of its rules>", what label.ruleset holds.
    const std::string& ruleset() const noexcept { return ruleset_; }

  private:
    const signatures::GroupRules& rules_;
    std::string ruleset_;
};

}  // namespace curlew::collector

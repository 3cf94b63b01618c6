#pragma once

#include <string>
#include <unordered_map>

#include "collector/flow_facts.h"
#include "collector/label.h"
#include "signatures/content_rules.h"

// Content labels: what signatures say of a flow's facts. One dataset's records, in their order,
// because a flow that begins in the middle may be told by an earlier one of the same endpoints.

namespace curlew::collector {

class Labeller {
  public:
    // Requires: the rules outlive this.
    explicit Labeller(const signatures::ContentRules& rules) : rules_(rules) {}

    // `device` stays empty: devices.h knows it.
    Label label(const FlowFacts& facts);

    // More hits than a record lists: the weakest are left out.
    static constexpr size_t kMaximumMatched = 64;
    // How long after a flow's end another between its endpoints may continue it.
    static constexpr uint64_t kContinuedWithin_us = 3'600'000'000;

  private:
    struct Hit {
        const signatures::Signature* signature = nullptr;  // nullptr: no signature lists the fact
        Fact fact;
        bool has_ports = false;
    };
    using Hits = std::vector<Hit>;

    struct Known {
        uint64_t end_us;
        std::string flow_id;
        Label label;  // without evidence
    };

    Hits hits_of(const FlowFacts& facts) const;
    void add_fact(const Fact& fact, Hits& hits) const;
    void add_by_index(const Fact& fact, uint16_t index, Hits& hits) const;
    bool is_continuation(const FlowFacts& facts, const Known& known) const;
    static void continue_label(const Known& known, Label& label);

    const signatures::ContentRules& rules_;
    std::unordered_map<std::string, Known> known_;  // by endpoints
};

// Of evidence of that kind: "certain", "likely" or "guess".
std::string confidence_of(EvidenceKind kind);

}  // namespace curlew::collector

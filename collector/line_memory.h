#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collector/added_records.h"
#include "collector/address_names.h"
#include "collector/devices.h"
#include "collector/flow_facts.h"
#include "collector/flow_identity.h"
#include "collector/labeller.h"
#include "collector/metadata_fields.h"
#include "collector/octet_memory.h"
#include "proto/flow.pb.h"

// What the flows of one line say about each other: names that clients were told for addresses,
// devices, and between whom flows may go on that began before. Takes all flows of what is sealed
// together before the first of them is labelled; the order does not matter.

namespace curlew::collector {

// Good as long as the flow is. Requires, as all below: the flow passed the batch decoder.
Devices::Ends ends_of(const proto::FlowSummary& flow);

// Without tunnel, and without ports where there are none.
FlowKeyOctets endpoints_of(const proto::FlowSummary& flow);

class LineMemory {
  public:
    // Requires: both outlive this.
    LineMemory(const signatures::ContentRules& rules, const MacVendors& vendors)
        : rules_(rules), devices_(rules, vendors) {}

    void add(const proto::FlowSummary& flow);

    // Of a flow that is added later: its names alone, which are told once however often they are
    // added.
    void add_names(const proto::FlowSummary& flow) { names_.add(flow); }

    // Of jobs that are done again: who adds asks it, and tells it.
    AddedRecords& added() noexcept { return added_; }

    const AddressNames& names() const noexcept { return names_; }
    const Devices& devices() const noexcept { return devices_; }

    // False: no flow between the ends of this one goes on with an earlier one, so that nobody has
    // to remember what that was. Only one whose beginning was not seen does, and that does not say
    // itself what it is, or over TCP whom it speaks to.
    bool any_goes_on_between(const proto::FlowSummary& flow) const {
        return too_many_go_on_ || (!going_on_.empty() && going_on_.contains(mark_of(flow)));
    }

    // For a line that goes on, once all that was added is labelled: forgets the names that are
    // valid no longer at that moment, the devices that are gone for long, and who may go on.
    void forget_before(uint64_t time_us) {
        names_.forget_before(time_us);
        devices_.forget_before(time_us);
        going_on_.clear();
        too_many_go_on_ = false;
    }

  private:
    static constexpr size_t kMostGoingOn = 500'000;

    struct Shown {
        std::vector<Devices::Clue> clues;
        Labeller::Says says;
    };

    static uint64_t mark_of(const proto::FlowSummary& flow);
    Labeller::Says says(const FlowFacts& facts) const;
    Labeller::Says note(const proto::FlowSummary& flow);
    void read_messages(const proto::FlowSummary& flow, FlowFacts& facts);

    const signatures::ContentRules& rules_;
    AddedRecords added_;
    AddressNames names_;
    Devices devices_;
    FlatSet<uint64_t> going_on_;  // marks of endpoints
    bool too_many_go_on_ = false;
    // By what a flow shows: devices say the same again and again.
    OctetMemory<Shown> shown_;
    std::string key_;
    JsonLine line_;
    CertificateWriter certificates_;
    FieldReader fields_;
};

}  // namespace curlew::collector

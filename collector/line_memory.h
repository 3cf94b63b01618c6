#pragma once

#include "collector/address_names.h"
#include "collector/devices.h"
#include "collector/flow_facts.h"
#include "collector/metadata_fields.h"
#include "collector/octet_memory.h"
#include "proto/flow.pb.h"

// What the flows of one line say about each other: names that clients were told for addresses, and
// devices. Takes all flows of what is sealed together before the first of them is labelled; the
// order does not matter.

namespace curlew::collector {

class LineMemory {
  public:
    // Requires: both outlive this.
    LineMemory(const signatures::ContentRules& rules, const MacVendors& vendors)
        : devices_(rules, vendors) {}

    // Requires: the flow passed the batch decoder.
    void add(const proto::FlowSummary& flow);

    const AddressNames& names() const noexcept { return names_; }
    const Devices& devices() const noexcept { return devices_; }

    // For a line that goes on: forgets the names that are valid no longer at that moment, and the
    // devices that are gone for long.
    void forget_before(uint64_t time_us) {
        names_.forget_before(time_us);
        devices_.forget_before(time_us);
    }

  private:
    std::vector<Devices::Clue> clues_of(const proto::FlowSummary& flow);
    void read_messages(const proto::FlowSummary& flow, FlowFacts& facts);

    AddressNames names_;
    Devices devices_;
    // By what a flow shows: devices say the same again and again.
    OctetMemory<std::vector<Devices::Clue>> clues_;
    std::string key_;
    JsonLine line_;
    CertificateWriter certificates_;
    FieldReader fields_;
};

}  // namespace curlew::collector

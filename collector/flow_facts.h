#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/label.h"
#include "proto/flow.pb.h"

// What labels are made from: the facts of one record, taken from what a probe sends or from a
// stored record. Both ways give the same, but for what a field set leaves out of the record.

namespace curlew::collector {

struct FlowFacts {
    uint32_t protocol = 0;
    std::string initiator;  // addresses as text
    std::string responder;
    uint16_t initiator_port = 0;  // 0 without ports, as the next
    uint16_t responder_port = 0;
    uint64_t flow_start_us = 0;  // of the flow's first record, since 1970
    uint64_t end_us = 0;         // of this record
    uint32_t record_number = 0;
    bool begin_seen = false;  // TCP: a SYN was
    bool has_payload = false;
    std::string flow_id;        // empty: not told
    std::string initiator_mac;  // as text; empty: not known
    std::string responder_mac;
    std::vector<Fact> facts;   // payload, name, name_by_dns, behaviour
    std::vector<Fact> fields;  // kind field; `signature` stays empty
    std::string symbols;       // of the first packets: '>' or '<' and payload octets each
};

// Fields of one record; more are left out.
inline constexpr size_t kMaximumFields = 128;
// Packets whose symbols are told.
inline constexpr size_t kMaximumSymbols = 16;

// Requires: the flow passed the batch decoder. Leaves out what `add_metadata` adds, and flow_id.
FlowFacts facts_of(const proto::FlowSummary& flow);

// Fields of the members that write_metadata() writes. `record` is an object that holds them.
void add_metadata(const rapidjson::Value& record, FlowFacts& facts);

// The same from the text of such an object.
class FieldReader {
  public:
    // Requires: valid JSON.
    void read(std::string_view object, FlowFacts& facts);

  private:
    std::string text_;  // is taken apart in its place
};

// False when the record is none of preset curlew.
bool facts_of_record(const rapidjson::Value& record, FlowFacts& facts);

}  // namespace curlew::collector

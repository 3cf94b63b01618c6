#pragma once

#include <rapidjson/document.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/label.h"
#include "proto/flow.pb.h"

// What labels are made from: the facts of one record, taken from what a probe sends or from a
// stored record. Both ways give the same, but for what a field set leaves out of the record.

namespace curlew::collector {

// What the messages of a flow say.
struct MessageFacts {
    std::vector<Fact> fields;  // kind field; `signature` stays empty
    // Kind name: whom the flow speaks to, of messages that came later, or otherwise, than the probe
    // looks for names. Most are the ones it found.
    std::vector<Fact> names;
    // Hardware addresses, as text, of those for whom DHCP was spoken from one side: initiator,
    // responder. An end that spoke for another is not known by its own.
    std::array<std::vector<std::string>, 2> clients;
};

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

// In either direction.
bool has_payload(const proto::FlowSummary& flow);

// Requires: the flow passed the batch decoder. Leaves out what `add_metadata` adds, and flow_id.
FlowFacts facts_of(const proto::FlowSummary& flow);

// Appends what decides the facts and fields that facts_of() finds, but for `symbols`: two flows
// with equal octets here have equal ones.
void append_facts_key(const proto::FlowSummary& flow, std::string& key);
// The same of one fact, whatever its kind.
void append_fact_key(const Fact& fact, std::string& key);

// What decides what a message is decoded to.
void append_message_key(const proto::ProtocolMessage& message, std::string& key);

// The symbols of facts_of().
std::string symbols_of(const proto::FlowSummary& flow);

void add_messages(const MessageFacts& messages, FlowFacts& facts);

// Messages that hold fields which signatures look at.
bool may_have_fields(const proto::ProtocolMessage& message);
// Whether all those of a flow are multicast DNS; then mdns_facts() tells what FieldReader would,
// without the text.
bool says_only_mdns(const proto::FlowSummary& flow);
MessageFacts mdns_facts(const proto::FlowSummary& flow);

// Reads the members that write_metadata() writes, from the text of an object that holds them.
class FieldReader {
  public:
    // Requires: valid JSON.
    MessageFacts read(std::string_view object);

  private:
    static constexpr size_t kPoolOctets = size_t{32} * 1024;

    std::string text_;  // is taken apart in its place
    std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kPoolOctets);
    // What most documents need, taken once.
    rapidjson::MemoryPoolAllocator<> pool_{buffer_.get(), kPoolOctets};
};

// False when the record is none of preset curlew.
bool facts_of_record(const rapidjson::Value& record, FlowFacts& facts);

}  // namespace curlew::collector

#include "collector/line_memory.h"

#include <algorithm>

namespace curlew::collector {
namespace {

// Messages in which devices tell of themselves.
bool tells_of_itself(const proto::ProtocolMessage& message) {
    switch (message.protocol()) {
        case proto::MESSAGE_PROTOCOL_DHCP:
        case proto::MESSAGE_PROTOCOL_HTTP:
        case proto::MESSAGE_PROTOCOL_MDNS:
        case proto::MESSAGE_PROTOCOL_SSDP:
            return may_have_fields(message);
        default:
            return false;
    }
}

bool tells_of_itself(const proto::FlowSummary& flow) {
    return std::any_of(flow.messages().begin(), flow.messages().end(), [](const auto& message) {
        return tells_of_itself(message);
    });
}

Devices::Ends ends_of(const proto::FlowSummary& flow) {
    return {{Devices::End{flow.forward().source_mac(), flow.initiator_address()},
             Devices::End{flow.reverse().source_mac(), flow.responder_address()}},
            flow.first_record_start_ns() / 1000,
            flow.flow_end_ns() / 1000};
}

// What decides the clues of a flow. False: whose clues they are is told by the flow's ends too.
bool make_clues_key(const proto::FlowSummary& flow, std::string& key) {
    key.clear();
    append_facts_key(flow, key);
    if (!tells_of_itself(flow)) {
        return true;
    }
    for (const proto::ProtocolMessage& message : flow.messages()) {
        if (message.protocol() == proto::MESSAGE_PROTOCOL_DHCP) {
            return false;
        }
        if (may_have_fields(message)) {
            append_message_key(message, key);
        }
    }
    return true;
}

}  // namespace

std::vector<Devices::Clue> LineMemory::clues_of(const proto::FlowSummary& flow) {
    FlowFacts facts = facts_of(flow);
    read_messages(flow, facts);
    return devices_.clues_of(facts);
}

void LineMemory::read_messages(const proto::FlowSummary& flow, FlowFacts& facts) {
    if (!tells_of_itself(flow)) {
        return;
    }
    if (says_only_mdns(flow)) {
        add_messages(mdns_facts(flow), facts);
    } else {
        line_.clear();
        line_.start_object();
        write_metadata(line_, certificates_, flow);
        line_.end_object();
        add_messages(fields_.read(line_.finish()), facts);
    }
}

void LineMemory::add(const proto::FlowSummary& flow) {
    names_.add(flow);
    if (!make_clues_key(flow, key_)) {
        FlowFacts facts = facts_of(flow);
        read_messages(flow, facts);
        devices_.add(facts);
        return;
    }
    if (const auto* known = clues_.find(key_)) {
        devices_.note(ends_of(flow), *known);
        return;
    }
    const std::vector<Devices::Clue> clues = clues_of(flow);
    devices_.note(ends_of(flow), clues);
    clues_.offer(key_, clues);
}

}  // namespace curlew::collector

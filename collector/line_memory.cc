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

Devices::Ends ends_of(const proto::FlowSummary& flow) {
    return {{Devices::End{flow.forward().source_mac(), flow.initiator_address()},
             Devices::End{flow.reverse().source_mac(), flow.responder_address()}},
            flow.first_record_start_ns() / 1000,
            flow.flow_end_ns() / 1000};
}

FlowKeyOctets endpoints_of(const proto::FlowSummary& flow) {
    const bool with_ports = has_ports(flow.protocol_identifier());
    const auto port = [with_ports](uint32_t one) {
        return static_cast<uint16_t>(with_ports ? one : 0);
    };
    return flow_key_octets({flow.initiator_address(), port(flow.initiator_port())},
                           {flow.responder_address(), port(flow.responder_port())},
                           static_cast<uint8_t>(flow.protocol_identifier()),
                           0);
}

uint64_t LineMemory::mark_of(const proto::FlowSummary& flow) {
    const FlowKeyOctets endpoints = endpoints_of(flow);
    return octet_hash({reinterpret_cast<const char*>(endpoints.data()), endpoints.size()});
}

Labeller::Says LineMemory::says(const FlowFacts& facts) const {
    Labeller::Says most = Labeller::Says::nothing;
    for (const Fact& fact : facts.facts) {
        if (fact.kind == EvidenceKind::payload || fact.kind == EvidenceKind::name) {
            most = std::max(most, Labeller::says_by(rules_, fact));
        }
    }
    return most;
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

// Who its ends are. Returns how much it says itself.
Labeller::Says LineMemory::note(const proto::FlowSummary& flow) {
    if (!make_clues_key(flow, key_)) {
        FlowFacts facts = facts_of(flow);
        read_messages(flow, facts);
        devices_.add(facts);
        return says(facts);
    }
    if (const Shown* known = shown_.find(key_)) {
        devices_.note(ends_of(flow), known->clues);
        return known->says;
    }
    FlowFacts facts = facts_of(flow);
    read_messages(flow, facts);
    const Shown shown{devices_.clues_of(facts), says(facts)};
    devices_.note(ends_of(flow), shown.clues);
    shown_.offer(key_, shown);
    return shown.says;
}

void LineMemory::add(const proto::FlowSummary& flow) {
    names_.add(flow);
    const bool begin_seen = (flow.quality() & proto::QUALITY_BEGIN_SEEN) != 0;
    const Labeller::Says told = note(flow);
    // Of TCP also the service of a protocol is told by what came before, see Labeller::continued().
    const bool may_go_on =
        told == Labeller::Says::nothing ||
        (told == Labeller::Says::protocol && flow.protocol_identifier() == kProtocolTcp);
    if (!may_go_on || begin_seen || !has_payload(flow)) {
        return;
    }
    if (going_on_.size() < kMostGoingOn) {
        going_on_.insert(mark_of(flow));
    } else {
        too_many_go_on_ = true;
    }
}

}  // namespace curlew::collector

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
            return true;
        default:
            return false;
    }
}

}  // namespace

void LineMemory::add(const proto::FlowSummary& flow) {
    names_.add(flow);
    FlowFacts facts = facts_of(flow);
    if (std::any_of(flow.messages().begin(), flow.messages().end(), tells_of_itself)) {
        line_.clear();
        line_.start_object();
        write_metadata(line_, certificates_, flow);
        line_.end_object();
        fields_.read(line_.finish(), facts);
    }
    devices_.add(facts);
}

}  // namespace curlew::collector

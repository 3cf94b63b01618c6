#pragma once

#include <cstdint>

#include "collector/json_line.h"
#include "collector/protocols/certificate.h"
#include "proto/flow.pb.h"

// The messages of recognised protocols in a record: dns, mdns, llmnr, http, dhcp, ssdp, ntp, igmp,
// smb, each a list in order of the messages, and the objects tls, quic and ssh. Absent when there
// is none.

namespace curlew::collector {

struct MetadataCounts {
    uint64_t messages = 0;
    uint64_t malformed = 0;  // that contradicted themselves

    void add(const MetadataCounts& other) noexcept {
        messages += other.messages;
        malformed += other.malformed;
    }
};

// Tells what was written. Requires: the flow passed the batch decoder.
MetadataCounts write_metadata(JsonLine& json,
                              CertificateWriter& certificates,
                              const proto::FlowSummary& flow);

}  // namespace curlew::collector

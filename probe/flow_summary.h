#pragma once

#include <span>

#include "proto/flow.pb.h"
#include "signatures/signature_set.h"

namespace curlew::probe {

// Translates one RecordImage, as it lies in a ring, into the message that crosses to the collector.
// `summary` is cleared first and may be used again. Requires: octets hold a whole image.
void summarize(std::span<const uint8_t> octets,
               const signatures::SignatureSet& set,
               proto::FlowSummary& summary);

}  // namespace curlew::probe

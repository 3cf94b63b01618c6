#pragma once

#include <cstddef>
#include <cstdint>

#include "probe/flow_features.h"
#include "probe/message_store.h"
#include "probe/record_image.h"

// Makes a RecordImage of what a flow holds. One partition's, one worker's.

namespace curlew::probe {

// The image with its sections' lengths; end reason, quality and lists_all_packets are left to the
// caller.
RecordImage make_image(const FlowHot& hot,
                       const FlowWarm& warm,
                       const FlowFeatures& features,
                       const MessageStore& messages) noexcept;

// With its sections.
size_t octets_of(const RecordImage& image) noexcept;

// Requires: room for octets_of(image) behind `out`, and nothing was added since make_image().
void write_image(const RecordImage& image,
                 const FlowDetails* details,
                 const FlowFeatures& features,
                 const MessageStore& messages,
                 uint8_t* out) noexcept;

}  // namespace curlew::probe

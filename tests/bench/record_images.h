#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/probe_identity.h"
#include "signatures/signature_set.h"

// Finished records for the measurements of this folder, as they lie in a worker's ring.

namespace curlew::tests {

enum class RecordKind : uint8_t {
    one_packet,  // of flows of one UDP packet, line-rate profile
    iot,         // of what homes' devices say, line-rate profile
    iot_dataset  // the same, dataset profile
};

// Some thousand images; each has other addresses.
std::vector<std::string> record_images(const signatures::SignatureSet& set, RecordKind kind);

// The image as one of another flow, of the `number`th copy: its lower address is another one.
// Requires: a whole image stands at `image`.
void make_another(uint8_t* image, uint32_t number);

// Who made the frames.
inline constexpr const char* kProbeName = "bench";
inline constexpr uint64_t kProbeId = proto::probe_id_of(kProbeName);
inline constexpr uint64_t kEpoch = 9;

// Batches and the ledger at their end, as they go over a channel: `records` from the images and
// copies of them.
std::vector<std::string> record_frames(const signatures::SignatureSet& set,
                                       const std::vector<std::string>& images,
                                       uint64_t records);

}  // namespace curlew::tests

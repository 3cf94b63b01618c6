#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include "collector/json_line.h"
#include "proto/flow.pb.h"

// The member `smb` of a record: the headers of SMB 1 (MS-CIFS) and SMB 2 and 3 (MS-SMB2).
// DATASET.md says what its members mean.

namespace curlew::collector {

// Of `messages` those of SMB are read; each begins with its header. Without one nothing is written.
// False when one contradicts itself: its object then says `malformed`.
bool write_smb(JsonLine& json,
               const google::protobuf::RepeatedPtrField<proto::ProtocolMessage>& messages);

}  // namespace curlew::collector

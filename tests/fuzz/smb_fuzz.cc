#include <algorithm>
#include <cstdint>

#include "collector/protocols/smb.h"
#include "proto/flow.pb.h"
#include "tests/fuzz/written_line.h"

// Input: messages, each behind two octets: bit 0 reverse, bit 1 cut, bit 2 version 2, and length.
// Each begins with its protocol's mark, which would take long to guess.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    proto::FlowSummary flow;
    while (size >= 2) {
        const uint8_t bits = data[0];
        const size_t octets = std::min<size_t>(data[1], size - 2);
        proto::ProtocolMessage* message = flow.add_messages();
        message->set_protocol(proto::MESSAGE_PROTOCOL_SMB);
        message->set_reverse((bits & 1) != 0);
        message->set_cut((bits & 2) != 0);
        message->set_octets((bits & 4) != 0 ? "\xfeSMB" : "\xffSMB");
        message->mutable_octets()->append(data + 2, data + 2 + octets);
        data += 2 + octets;
        size -= 2 + octets;
    }
    collector::JsonLine json;
    json.start_object();
    collector::write_smb(json, flow.messages());
    tests::require_text(json);
    return 0;
}

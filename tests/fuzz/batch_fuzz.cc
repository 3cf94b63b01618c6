#include <cstdint>
#include <string>

#include "collector/annotator.h"
#include "collector/batch_decoder.h"
#include "collector/joy_record_writer.h"
#include "collector/record_writer.h"
#include "proto/flow.pb.h"
#include "proto/frame.h"
#include "signatures/group_rules.h"

// Input: the body of a frame, a FlowBatch. The frame around it is right: a peer that means harm
// computes its checksum. What the decoder lets through must be written as a record.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    static const collector::BatchDecoder decoder;
    static const signatures::GroupRules rules =
        signatures::GroupRules::parse("name = \"any\"\ntitle = \"test\"\n", "any.toml");
    static const collector::Annotator annotator(rules);
    static collector::RecordWriter writer(collector::FieldSet::full, "any");
    static collector::JoyRecordWriter joy_writer;
    static proto::FlowBatch batch;
    if (size < 2) {
        return 0;
    }
    const auto records = static_cast<uint32_t>(data[0] % 8);
    std::string octets;
    proto::append_frame({proto::FrameKind::batch, 1, 1, 1, records}, {data + 1, size - 1}, octets);
    proto::FrameView frame;
    if (proto::decode_frame({reinterpret_cast<const uint8_t*>(octets.data()), octets.size()},
                            frame) != proto::FrameError::none ||
        decoder.decode(frame, batch) != collector::BatchError::none) {
        return 0;
    }
    for (const proto::FlowSummary& flow : batch.flows()) {
        writer.write(flow, annotator.annotate(flow));
        if (flow.has_joy()) {
            joy_writer.write(flow, nullptr);
        }
    }
    return 0;
}

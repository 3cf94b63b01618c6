#include <cstdint>
#include <string>

#include "collector/annotator.h"
#include "collector/batch_decoder.h"
#include "collector/joy_record_writer.h"
#include "collector/record_writer.h"
#include "proto/flow.pb.h"
#include "proto/frame.h"
#include "signatures/content_rules.h"
#include "signatures/group_rules.h"

// Input: the body of a frame, a FlowBatch. The frame around it is right: a peer that means harm
// computes its checksum. What the decoder lets through must be labelled and written as a record.

namespace {

// One of each kind that looks at what a flow holds.
constexpr const char* kSignatures =
    "[[signature]]\nid = 'name'\ntitle = 't'\nreference = 'r'\nkind = 'name'\n"
    "pattern = 'example'\nsuffix = true\nservice = 's'\ndevice = 'd'\n"
    "examples.match = ['a']\nexamples.no_match = ['b']\n"
    "[[signature]]\nid = 'field'\ntitle = 't'\nreference = 'r'\nkind = 'field'\n"
    "field = 'ssdp.server'\npattern = '.*a.*'\nlabel = 'x'\ndevice = 'e'\n"
    "examples.match = ['a']\nexamples.no_match = ['b']\n"
    "[[signature]]\nid = 'sequence'\ntitle = 't'\nreference = 'r'\nkind = 'sequence'\n"
    "pattern = '>[0-9]+<'\nlabel = 'y'\nexamples.match = ['a']\nexamples.no_match = ['b']\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    static const collector::BatchDecoder decoder;
    static const signatures::GroupRules rules =
        signatures::GroupRules::parse("name = \"any\"\ntitle = \"test\"\n", "any.toml");
    static const signatures::SignatureSet set = signatures::SignatureSet::parse(kSignatures, "set");
    static const signatures::ContentRules content(set);
    static const collector::MacVendors vendors;
    static collector::RecordWriter writer(collector::FieldSet::full);
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
    collector::LineMemory memory(content, vendors);
    for (const proto::FlowSummary& flow : batch.flows()) {
        memory.add(flow);
    }
    collector::Annotator annotator({rules, content, vendors}, memory);
    for (const proto::FlowSummary& flow : batch.flows()) {
        const collector::RecordWriter::Begun begun = writer.begin(flow);
        writer.finish(annotator.annotate(flow, begun.messages, begun.flow_id));
        if (flow.has_joy()) {
            joy_writer.write(flow, nullptr);
        }
    }
    return 0;
}

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/annotator.h"
#include "collector/metadata_fields.h"
#include "proto/flow.pb.h"

// Preset `curlew`: one flow record as one JSON line. Joy's names where Joy has the field; text from
// the wire is made valid UTF-8 (wire_text.h). Key order is fixed and `flow_type` comes last.

namespace curlew::collector {

enum class FieldSet : uint8_t {
    slim,      // no packet list, no stats and nothing that `standard` leaves out
    standard,  // no byte_dist, idp_out, idp_in, ip.id
    full,
};

// Version of record.schema.json, which every record is valid by: raised when a field changes its
// meaning or type, or goes.
inline constexpr uint64_t kRecordSchema = 2;

// Nothing when there is no set of that name.
std::optional<FieldSet> field_set_named(std::string_view name) noexcept;
const char* name_of(FieldSet fields) noexcept;

class RecordWriter {
  public:
    explicit RecordWriter(FieldSet fields);
    ~RecordWriter();
    RecordWriter(const RecordWriter&) = delete;
    RecordWriter& operator=(const RecordWriter&) = delete;

    // What a label needs of a line that was begun; both good until the next one.
    struct Begun {
        const MessageFacts& messages;  // empty in field set slim
        std::string_view flow_id;
    };
    // Writes all but the labels. Requires: the flow passed the batch decoder.
    Begun begin(const proto::FlowSummary& flow);
    // The line with its newline, good until the next call. Requires: after begin().
    std::string_view finish(const Annotation& annotation);

    // Of all lines written: the messages in them.
    MetadataCounts metadata() const noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::collector

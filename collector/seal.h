#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "collector/annotator.h"
#include "collector/batch_decoder.h"
#include "collector/dataset_config.h"
#include "collector/dataset_file.h"
#include "collector/found_devices.h"
#include "collector/line_memory.h"
#include "collector/metadata_fields.h"
#include "collector/record_sorter.h"
#include "collector/selection.h"
#include "proto/flow.pb.h"
#include "proto/frame.h"

// Sealing: from the frames of a run to a sorted, annotated, hashed dataset under its final name,
// with manifest and index entry.

namespace curlew::collector {

using Tally = std::map<std::string, uint64_t>;

// The collector's half of the ledger: received = refused + not selected + not first + written.
struct RecordCounts {
    uint64_t received = 0;
    Tally refused;              // by BatchError
    uint64_t not_selected = 0;  // the selection expression does not hold
    uint64_t not_first = 0;     // a later record where first ones alone were asked for
    uint64_t written = 0;
};

struct SealResult {
    std::filesystem::path path;  // of the dataset's file
    std::filesystem::path manifest;
    bool already_sealed = false;   // an equal dataset was there; nothing was changed
    uint64_t records_created = 0;  // by the probe
    uint64_t records_written = 0;
    uint64_t records_not_selected = 0;  // by expression, and later records where first was asked
    RecordCounts records;
    Tally flow_types;  // of the records written
    Tally labels;      // label.type
    Tally evidence;    // kind of the strongest evidence
    MetadataCounts metadata;
    bool names_complete = true;         // false: AddressNames left some out
    std::optional<DeviceList> devices;  // see FoundDevices; preset joy-3.0.3 has none
    DatasetSums sums;
    std::optional<proto::ProbeLedger> ledger;  // nothing: the input ended without one
};

// What frames say is gathered as they come, in bounded memory, so that little is left for the end.
class Sealer {
  public:
    // `part` is the dataset's temporary name, in the folder that it gets; temporary files of the
    // sorter lie there too. All here throw std::runtime_error with one sentence on an I/O failure.
    // Requires: the configuration and the rules outlive this; the rules have no problems.
    Sealer(const DatasetConfig& config,
           const LabelRules& rules,
           std::filesystem::path part,
           size_t sort_memory_octets = RecordSorter::kDefaultMemoryOctets);

    // The next frame in sequence. A batch over its bounds is counted as refused; throws when a
    // ledger is. Frames of other kinds say nothing here. Requires: the frame's octets stay where
    // they are until let_go() or seal() returned.
    void take(const proto::FrameView& frame);
    void let_go() { sorter_.let_go(); }

    // Writes and publishes; when it throws, nothing is left. Requires: called once, and last; the
    // configuration's capture is filled in.
    SealResult seal();

  private:
    void note_sequences(uint64_t first, uint64_t count);
    void take_batch(const proto::FrameView& frame);
    void take_flow(const proto::FlowSummary& flow, std::span<const uint8_t> octets);
    void take_ledger(const proto::FrameView& frame);
    void write_records();

    const DatasetConfig& config_;
    const LabelRules& rules_;
    std::filesystem::path part_;
    Selection selection_;
    LineMemory memory_;
    RecordSorter sorter_;
    BatchDecoder decoder_;
    proto::FlowBatch batch_;
    uint64_t first_sequence_ = 0;
    uint64_t last_sequence_ = 0;
    SealResult result_;
};

}  // namespace curlew::collector

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "collector/annotator.h"
#include "collector/dataset_config.h"
#include "collector/dataset_file.h"
#include "collector/hash_map.h"
#include "collector/joy_record_writer.h"
#include "collector/loss_spans.h"
#include "collector/record_writer.h"
#include "collector/seal.h"

// From sorted records to the finished, synced file of one dataset, under a temporary name.

namespace curlew::collector {

// A temporary file: gone in the end, unless it has got its final name or is kept. Of one that was
// there when this was made, as who holds its lock has it, another's under its name stays.
class PartFile {
  public:
    explicit PartFile(std::filesystem::path path);
    ~PartFile();
    PartFile(PartFile&& other) noexcept;
    PartFile& operator=(PartFile&&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }
    // Somebody else's from now on.
    void keep() noexcept { path_.clear(); }

  private:
    std::filesystem::path path_;
    std::optional<FileIdentity> identity_;
};

class DatasetBuilder {
  public:
    // Throws std::runtime_error on an I/O failure, as the other two do. Requires: the rules have no
    // problems; they and the memory outlive this.
    DatasetBuilder(const DatasetConfig& config,
                   const LabelRules& rules,
                   const LineMemory& memory,
                   const std::filesystem::path& part);

    // `record` is a serialized FlowSummary that passed the batch decoder. Where it overlaps a loss,
    // its quality says so.
    void write(std::string_view record, const LossSpans& losses = {});

    // Fills in what was written: sums and tallies, records.written and records_written.
    void finish(SealResult& result);

    static Encoding encoding_of(const DatasetConfig& config) noexcept {
        return config.compress ? Encoding::json_zstd : Encoding::json;
    }

  private:
    // Labels that are counted one by one before they are counted by their words.
    static constexpr size_t kMaximumCountedAlone = 1024;
    struct LabelCount {
        std::shared_ptr<const WrittenLabel> label;  // held, so that no other takes its address
        uint64_t records = 0;
    };

    void count(const Annotation& annotation);
    void add_label_counts();

    Annotator annotator_;
    DatasetWriter file_;
    RecordWriter writer_;
    JoyRecordWriter joy_writer_;
    bool is_joy_;      // preset joy-3.0.3
    bool joy_labels_;  // its records get their flow_type
    proto::FlowSummary flow_;
    uint64_t written_ = 0;
    AddressSpan span_{UINT64_MAX, 0};  // from the first start to the last end of what was written
    Tally flow_types_;
    FlatMap<const WrittenLabel*, LabelCount, std::hash<const WrittenLabel*>> label_counts_;
    Tally labels_;
    Tally evidence_;
};

}  // namespace curlew::collector

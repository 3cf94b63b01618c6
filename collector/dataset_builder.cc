#include "collector/dataset_builder.h"

#include <unistd.h>

#include <cassert>
#include <utility>

namespace curlew::collector {

PartFile::~PartFile() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

PartFile::PartFile(PartFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}

DatasetBuilder::DatasetBuilder(const DatasetConfig& config,
                               const LabelRules& rules,
                               const LineMemory& memory,
                               const std::filesystem::path& part)
    : annotator_(rules, memory),
      file_(part, encoding_of(config)),
      writer_(config.fields, annotator_.ruleset()),
      is_joy_(config.preset == kJoyPreset),
      joy_labels_(config.records == RecordChoice::first) {}

void DatasetBuilder::write(std::string_view record, const LossSpans& losses) {
    [[maybe_unused]] const bool parsed =
        flow_.ParseFromArray(record.data(), static_cast<int>(record.size()));
    assert(parsed);
    if (losses.overlaps(flow_.flow_start_ns(), flow_.flow_end_ns())) {
        flow_.set_quality(flow_.quality() | proto::QUALITY_LOSS);
    }
    FlowFacts facts = facts_of(flow_);
    if (!is_joy_) {
        writer_.begin(flow_, facts);
    }
    const Annotation annotation = annotator_.annotate(flow_, facts);
    if (is_joy_) {
        // All records are what Joy wrote; the first ones were published, with their labels.
        file_.write(joy_writer_.write(flow_, joy_labels_ ? &annotation.flow_type : nullptr));
    } else {
        file_.write(writer_.finish(annotation));
    }
    ++written_;
    ++flow_types_[annotation.flow_type];
    ++labels_[annotation.label.type];
    ++evidence_[std::string(name_of(strongest_evidence(annotation.label)))];
}

void DatasetBuilder::finish(SealResult& result) {
    result.sums = file_.finish();
    result.records.written = written_;
    result.records_written = written_;
    result.flow_types = std::move(flow_types_);
    result.labels = std::move(labels_);
    result.evidence = std::move(evidence_);
    result.metadata = writer_.metadata();
    if (!is_joy_) {
        result.devices = annotator_.devices();
    }
}

}  // namespace curlew::collector

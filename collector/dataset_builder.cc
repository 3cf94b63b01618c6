#include "collector/dataset_builder.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>

#include "collector/device_file.h"

namespace curlew::collector {

PartFile::PartFile(std::filesystem::path path)
    : path_(std::move(path)), identity_(identity_of(path_)) {}

PartFile::~PartFile() {
    if (!path_.empty() && (!identity_ || identity_of(path_) == identity_)) {
        ::unlink(path_.c_str());
    }
}

PartFile::PartFile(PartFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), identity_(other.identity_) {}

DatasetBuilder::DatasetBuilder(const DatasetConfig& config,
                               const LabelRules& rules,
                               const LineMemory& memory,
                               const std::filesystem::path& part)
    : annotator_(rules, memory),
      file_(part, encoding_of(config)),
      writer_(config.fields),
      is_joy_(config.preset == kJoyPreset),
      joy_labels_(config.records == RecordChoice::first) {}

void DatasetBuilder::write(std::string_view record, const LossSpans& losses) {
    [[maybe_unused]] const bool parsed =
        flow_.ParseFromArray(record.data(), static_cast<int>(record.size()));
    assert(parsed);
    if (losses.overlaps(flow_.flow_start_ns(), flow_.flow_end_ns())) {
        flow_.set_quality(flow_.quality() | proto::QUALITY_LOSS);
    }
    span_.first_us = std::min(span_.first_us, flow_.flow_start_ns() / 1000);
    span_.last_us = std::max(span_.last_us, flow_.flow_end_ns() / 1000);
    if (is_joy_) {
        // All records are what Joy wrote; the first ones were published, with their labels.
        const Annotation annotation = annotator_.annotate(flow_, {}, {});
        file_.write(joy_writer_.write(flow_, joy_labels_ ? &annotation.flow_type : nullptr));
        count(annotation);
    } else {
        const RecordWriter::Begun begun = writer_.begin(flow_);
        const Annotation annotation = annotator_.annotate(flow_, begun.messages, begun.flow_id);
        file_.write(writer_.finish(annotation));
        count(annotation);
    }
}

void DatasetBuilder::count(const Annotation& annotation) {
    ++written_;
    ++flow_types_[annotation.flow_type];
    if (label_counts_.size() == kMaximumCountedAlone) {
        add_label_counts();
    }
    LabelCount& count = label_counts_[annotation.label.get()];
    if (count.records++ == 0) {
        count.label = annotation.label;
    }
}

void DatasetBuilder::add_label_counts() {
    for (const auto& [label, count] : label_counts_) {
        labels_[label->label->type] += count.records;
        evidence_[std::string(name_of(strongest_evidence(*label->label)))] += count.records;
    }
    label_counts_.clear();
}

void DatasetBuilder::finish(SealResult& result) {
    result.sums = file_.finish();
    result.records.written = written_;
    result.records_written = written_;
    result.flow_types = std::move(flow_types_);
    add_label_counts();
    result.labels = std::move(labels_);
    result.evidence = std::move(evidence_);
    result.metadata = writer_.metadata();
    if (!is_joy_) {
        result.names_complete = annotator_.names_complete();
        result.devices = annotator_.devices_of_dataset(span_, kMaximumListedDevices);
    }
}

}  // namespace curlew::collector

#include "collector/seal.h"

#include <fmt/format.h>

#include <cassert>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "collector/dataset_builder.h"
#include "collector/loss_spans.h"
#include "collector/manifest.h"
#include "collector/publish.h"
#include "collector/wire_walk.h"

namespace curlew::collector {
namespace {

uint64_t total(const Tally& tally) {
    return std::accumulate(tally.begin(), tally.end(), uint64_t{0}, [](uint64_t sum, auto& entry) {
        return sum + entry.second;
    });
}

}  // namespace

Sealer::Sealer(const DatasetConfig& config,
               const LabelRules& rules,
               std::filesystem::path part,
               size_t sort_memory_octets)
    : config_(config),
      rules_(rules),
      part_(std::move(part)),
      selection_(config.selection),
      memory_(rules.content, rules.vendors),
      sorter_(part_.parent_path(), sort_memory_octets) {}

void Sealer::take(const proto::FrameView& frame) {
    if (frame.header.kind == proto::FrameKind::batch) {
        take_batch(frame);
    } else if (frame.header.kind == proto::FrameKind::ledger) {
        take_ledger(frame);
    }
}

void Sealer::note_sequences(uint64_t first, uint64_t count) {
    first_sequence_ = first_sequence_ == 0 ? first : first_sequence_;
    last_sequence_ = first + count - 1;
}

void Sealer::take_batch(const proto::FrameView& frame) {
    const uint32_t count = frame.header.record_count;
    note_sequences(frame.header.first_sequence, count);
    result_.records.received += count;
    const BatchError error = decoder_.decode(frame, batch_);
    if (error != BatchError::none) {
        result_.records.refused[name_of(error)] += count;
        return;
    }
    // What is sorted are the octets as they came; the decoder has seen the same flows in them.
    auto flow = batch_.flows().begin();
    walk_fields(frame.body, [&](uint32_t field, std::span<const uint8_t> octets) {
        if (field == proto::FlowBatch::kFlowsFieldNumber) {
            take_flow(*flow++, octets);
        }
        return true;
    });
}

void Sealer::take_flow(const proto::FlowSummary& flow, std::span<const uint8_t> octets) {
    if (config_.preset != kJoyPreset) {
        memory_.add(flow);
    }
    if (!selection_.holds_for(flow)) {
        ++result_.records.not_selected;
    } else if (config_.records == RecordChoice::first && flow.record_number() > 0) {
        ++result_.records.not_first;
    } else {
        const bool is_joy = config_.preset == kJoyPreset;
        sorter_.add_in_place(is_joy ? joy_record_order(flow) : record_order(flow),
                             {reinterpret_cast<const char*>(octets.data()), octets.size()});
    }
}

void Sealer::take_ledger(const proto::FrameView& frame) {
    note_sequences(frame.header.first_sequence, 1);
    proto::ProbeLedger ledger;
    const BatchError error = decoder_.decode(frame, ledger);
    if (error != BatchError::none) {
        throw std::runtime_error(
            fmt::format("the probe's ledger for {} was refused: {}", config_.name, name_of(error)));
    }
    result_.ledger = std::move(ledger);
}

void Sealer::write_records() {
    sorter_.finish();
    DatasetBuilder builder(config_, rules_, memory_, part_);
    const LossSpans losses(result_.ledger ? packet_losses(*result_.ledger)
                                          : std::vector<LossSpan>{});
    std::string_view record;
    while (sorter_.next(record)) {
        builder.write(record, losses);
    }
    builder.finish(result_);
}

SealResult Sealer::seal() {
    const Encoding encoding = DatasetBuilder::encoding_of(config_);
    const PartFile part(part_);
    write_records();

    RecordCounts& records = result_.records;
    assert(records.received ==
           total(records.refused) + records.not_selected + records.not_first + records.written);
    result_.records_created = result_.ledger ? result_.ledger->records_created() : 0;
    result_.records_not_selected = records.not_selected + records.not_first;

    const std::string manifest =
        render_manifest({config_, encoding, first_sequence_, last_sequence_, result_, nullptr});
    const Published published = publish(config_, encoding, part.path(), result_.sums, manifest);
    result_.path = published.dataset;
    result_.manifest = published.manifest;
    result_.already_sealed = published.already_sealed;
    return std::move(result_);
}

}  // namespace curlew::collector

#include "collector/seal.h"

#include <fmt/format.h>

#include <cassert>
#include <numeric>
#include <stdexcept>

#include "collector/batch_decoder.h"
#include "collector/dataset_builder.h"
#include "collector/manifest.h"
#include "collector/publish.h"
#include "collector/segment.h"
#include "collector/selection.h"
#include "collector/wire_walk.h"

namespace curlew::collector {
namespace {

uint64_t total(const Tally& tally) {
    return std::accumulate(tally.begin(), tally.end(), uint64_t{0}, [](uint64_t sum, auto& entry) {
        return sum + entry.second;
    });
}

class Sealer {
  public:
    Sealer(const DatasetConfig& config,
           const LabelRules& rules,
           const std::filesystem::path& segment,
           size_t sort_memory_octets)
        : config_(config),
          segment_(segment),
          selection_(config.selection),
          rules_(rules),
          memory_(rules.content, rules.vendors),
          sorter_(segment.parent_path(), sort_memory_octets) {}

    SealResult run() {
        read_segment();
        const Encoding encoding = DatasetBuilder::encoding_of(config_);
        std::filesystem::path part_path = segment_;
        part_path.replace_extension(".part");
        const PartFile part(part_path);
        write_records(part.path());

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

  private:
    void read_segment() {
        SegmentReader reader(segment_);
        proto::FrameView frame;
        while (reader.next(frame)) {
            if (frame.header.kind == proto::FrameKind::batch) {
                take_batch(frame);
            } else if (frame.header.kind == proto::FrameKind::ledger) {
                take_ledger(frame);
            }
        }
        // Recovery has cut the segment to whole frames before; what is torn now is a broken disk.
        if (reader.is_torn()) {
            throw std::runtime_error(fmt::format("cannot read {}: damaged after {} octets",
                                                 segment_.string(),
                                                 reader.valid_octets()));
        }
        sorter_.finish();
    }

    void note_sequences(uint64_t first, uint64_t count) {
        first_sequence_ = first_sequence_ == 0 ? first : first_sequence_;
        last_sequence_ = first + count - 1;
    }

    void take_batch(const proto::FrameView& frame) {
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

    void take_flow(const proto::FlowSummary& flow, std::span<const uint8_t> octets) {
        if (config_.preset != kJoyPreset) {
            memory_.add(flow);
        }
        if (!selection_.holds_for(flow)) {
            ++result_.records.not_selected;
        } else if (config_.records == RecordChoice::first && flow.record_number() > 0) {
            ++result_.records.not_first;
        } else {
            const bool is_joy = config_.preset == kJoyPreset;
            sorter_.add(is_joy ? joy_record_order(flow) : record_order(flow),
                        {reinterpret_cast<const char*>(octets.data()), octets.size()});
        }
    }

    void take_ledger(const proto::FrameView& frame) {
        note_sequences(frame.header.first_sequence, 1);
        proto::ProbeLedger ledger;
        const BatchError error = decoder_.decode(frame, ledger);
        if (error != BatchError::none) {
            throw std::runtime_error(fmt::format(
                "the probe's ledger for {} was refused: {}", config_.name, name_of(error)));
        }
        result_.ledger = std::move(ledger);
    }

    void write_records(const std::filesystem::path& part) {
        DatasetBuilder builder(config_, rules_, memory_, part);
        std::string_view record;
        while (sorter_.next(record)) {
            builder.write(record);
        }
        builder.finish(result_);
    }

    const DatasetConfig& config_;
    const std::filesystem::path& segment_;
    Selection selection_;
    LabelRules rules_;
    LineMemory memory_;
    RecordSorter sorter_;
    BatchDecoder decoder_;
    proto::FlowBatch batch_;
    uint64_t first_sequence_ = 0;
    uint64_t last_sequence_ = 0;
    SealResult result_;
};

}  // namespace

SealResult seal(const DatasetConfig& config,
                const LabelRules& rules,
                const std::filesystem::path& segment,
                size_t sort_memory_octets) {
    return Sealer(config, rules, segment, sort_memory_octets).run();
}

}  // namespace curlew::collector

#include "collector/seal_windows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <exception>
#include <map>
#include <numeric>
#include <stdexcept>

#include "collector/dataset_builder.h"
#include "collector/index.h"
#include "collector/manifest.h"
#include "collector/publish.h"
#include "collector/retention.h"
#include "collector/seal_state.h"
#include "collector/wire_walk.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartSuffix = ".part";
// Written between two looks at what is free. One has some kilobytes, seldom a megabyte.
constexpr uint64_t kRecordsPerLook = 64;

void publish_one(const fs::path& archive, const fs::path& state_path, const Publication& waiting) {
    DatasetConfig config;
    config.archive = archive;
    config.group = waiting.group;
    config.scenario = waiting.scenario;
    config.name = waiting.name;
    // An archive that was moved away, or is not mounted, is not made anew.
    if (!fs::exists(state_path)) {
        throw std::runtime_error(fmt::format(
            "cannot write the archive {}: {} is gone", archive.string(), state_path.string()));
    }
    std::vector<fs::path> ignored;
    make_folders_durably(archive / waiting.group / waiting.scenario, ignored, archive);
    publish_numbered(config,
                     waiting.encoding,
                     state_path.parent_path() / waiting.part,
                     waiting.sums,
                     waiting.manifest);
}

// One that fails holds up none behind it here. Throws what the first of these threw.
void publish_waiting(const fs::path& archive, const fs::path& state_path, SealState& state) {
    std::vector<Publication> published;
    std::vector<Publication> left;
    std::exception_ptr failure;
    for (Publication& waiting : state.publications) {
        try {
            publish_one(archive, state_path, waiting);
            published.push_back(std::move(waiting));
        } catch (const std::exception&) {
            failure = failure ? failure : std::current_exception();
            left.push_back(std::move(waiting));
        }
    }
    state.publications = std::move(left);
    if (!published.empty()) {
        save_seal_state(state_path, state);
    }
    // A part is still there when its dataset already was.
    for (const Publication& done : published) {
        std::error_code ignored;
        fs::remove(state_path.parent_path() / done.part, ignored);
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

// What an earlier job left. It may have died, or failed, before its state was durable: were that
// lost with the datasets published, their records would be sealed again.
void publish_left(const fs::path& archive, const fs::path& state_path, SealState& state) {
    if (!state.publications.empty()) {
        save_seal_state(state_path, state);
    }
    publish_waiting(archive, state_path, state);
}

class WindowSealer {
  public:
    WindowSealer(const SealJob& job,
                 const SealSetup& setup,
                 LineMemory& memory,
                 size_t sort_memory_octets)
        : job_(job),
          setup_(setup),
          memory_(memory),
          folder_(open_folder(setup.config.archive)),
          state_path_(seal_state_path(folder_, job.facts.probe, job.facts.epoch)),
          state_(load_seal_state(state_path_)),
          sorter_(folder_, sort_memory_octets) {}

    SealedWindows run() {
        try {
            seal();
        } catch (...) {
            memory_.added().failed(job_.facts.epoch, job_.windows, added_through_);
            throw;
        }
        memory_.added().sealed(job_.facts.epoch, job_.windows);
        try {
            publish_waiting(setup_.config.archive, state_path_, state_);
        } catch (const std::exception& error) {
            throw NotYetPublished(error.what(), result_);
        }
        result_.final_ledger = state_.final_ledger_sealed;
        result_.unclean_end = state_.unclean_end_sealed;
        return result_;
    }

  private:
    struct Dataset {
        Window window;
        size_t group = 0;
        uint64_t start_ns = UINT64_MAX;  // of its first record
        uint64_t end_ns = 0;             // of its last
        SealResult result;
    };

    void seal() {
        publish_left(setup_.config.archive, state_path_, state_);
        for (const ClosedFile& file : job_.files) {
            read_file(file);
        }
        sorter_.finish();
        take_end();
        write_datasets();
        commit();
    }

    void read_file(const ClosedFile& file) {
        JournalReader reader(file.path, file.last_sequence + 1);
        proto::FrameView frame;
        while (reader.next(frame)) {
            if (frame.header.kind == proto::FrameKind::batch) {
                make_room();
                take_batch(frame, reader.record_times(frame));
            }
        }
        if (reader.last_sequence() != file.last_sequence) {
            throw std::runtime_error(fmt::format(
                "cannot seal {}: damaged after {} octets", file.path.string(), reader.octets()));
        }
    }

    // Whether this job seals the record, and then in which window.
    bool is_wanted(uint64_t sequence, uint64_t end_ns, Window& window) const {
        window = window_of(end_ns, job_.minutes);
        return std::binary_search(job_.windows.begin(), job_.windows.end(), window.from_ns) &&
               !state_.covers(sequence, end_ns);
    }

    Dataset& dataset_for(const Window& window, size_t group, uint32_t& number) {
        const auto at = std::lower_bound(job_.windows.begin(), job_.windows.end(), window.from_ns);
        const auto ordinal = static_cast<uint64_t>(at - job_.windows.begin());
        number = static_cast<uint32_t>(ordinal * setup_.groups.size() + group);
        Dataset& dataset = datasets_[number];
        dataset.window = window;
        dataset.group = group;
        return dataset;
    }

    // Sealed datasets give way while this one grows, not only afterwards.
    void make_room() {
        const Retention& keep = setup_.config.keep;
        const fs::path& archive = setup_.config.archive;
        if (keep.min_free == 0 || free_octets(archive) >= keep.min_free) {
            return;
        }
        if (may_remove_more_) {
            // By room alone: age can wait.
            const Removed removed = enforce(keep, archive, 0);
            may_remove_more_ = removed.within_bounds;
            result_.datasets_removed += removed.datasets;
            result_.octets_removed += removed.octets;
        }
        if (const uint64_t left = free_octets(archive); left < octets_for_tombstones(keep)) {
            throw std::runtime_error(fmt::format(
                "cannot seal into {}: {} octets are free there and no dataset is left to remove",
                archive.string(),
                left));
        }
    }

    void take_batch(const proto::FrameView& frame, const std::vector<uint64_t>& times) {
        const uint64_t first = frame.header.first_sequence;
        const BatchError error = decoder_.decode(frame, batch_);
        Window window;
        uint32_t number = 0;
        if (error != BatchError::none) {
            for (size_t i = 0; i < times.size(); ++i) {
                if (is_wanted(first + i, times[i], window)) {
                    Dataset& dataset = dataset_for(window, default_group(), number);
                    ++dataset.result.records.received;
                    ++dataset.result.records.refused[name_of(error)];
                    ++result_.records_refused[name_of(error)];
                }
            }
            return;
        }
        // What is sorted are the octets as they came; the decoder has seen the same flows in them.
        size_t at = 0;
        walk_fields(frame.body, [&](uint32_t field, std::span<const uint8_t> octets) {
            if (field != proto::FlowBatch::kFlowsFieldNumber) {
                return true;
            }
            const proto::FlowSummary& flow = batch_.flows(static_cast<int>(at));
            if (is_wanted(first + at, times[at], window)) {
                Dataset& dataset = dataset_for(window, setup_.groups.group_of(flow), number);
                ++dataset.result.records.received;
                if (!memory_.added().has(job_.facts.epoch, first + at, window.from_ns)) {
                    memory_.add(flow);
                }
                added_through_ = first + at;
                dataset.start_ns = std::min(dataset.start_ns, flow.flow_start_ns());
                dataset.end_ns = std::max(dataset.end_ns, flow.flow_end_ns());
                RecordOrder order = record_order(flow);
                order.dataset = number;
                sorter_.add(order, {reinterpret_cast<const char*>(octets.data()), octets.size()});
            } else if (!job_.windows.empty() && window.from_ns > job_.windows.back()) {
                // An answer of DNS may be in a record that ends later than the flow it names.
                memory_.add_names(flow);
            }
            ++at;
            return true;
        });
    }

    size_t default_group() const { return setup_.groups.size() - 1; }

    // The final ledger, or what is known of an end without one, has to be in a manifest, if need be
    // in that of a dataset without records.
    void take_end() {
        const bool is_new = job_.facts.has_final_ledger()
                                ? !state_.final_ledger_sealed
                                : !job_.unclean_end.empty() && !state_.unclean_end_sealed;
        if (is_new && datasets_.empty()) {
            Dataset& dataset = datasets_[0];
            dataset.window = window_of(job_.facts.clock_ns(), job_.minutes);
            dataset.group = default_group();
        }
    }

    void write_datasets() {
        std::vector<LossSpan> spans;
        if (job_.facts.ledger) {
            spans = packet_losses(*job_.facts.ledger);
        }
        if (job_.lost_at_the_end) {
            spans.push_back(*job_.lost_at_the_end);
        }
        const LossSpans losses(std::move(spans));
        std::string_view record;
        RecordOrder order;
        bool has_record = sorter_.next(order, record);
        for (auto& [number, dataset] : datasets_) {
            const DatasetConfig config = config_of(dataset);
            const std::string stem =
                fmt::format("{}-{:016x}-{}", job_.facts.probe, job_.facts.epoch, number);
            PartFile& part = parts_.emplace_back(folder_ / (stem + std::string(kPartSuffix)));
            DatasetBuilder builder(
                config, setup_.groups.label_rules(dataset.group), memory_, part.path());
            for (; has_record && order.dataset == number;
                 has_record = sorter_.next(order, record)) {
                if (result_.records++ % kRecordsPerLook == 0) {
                    make_room();
                }
                builder.write(record, losses);
            }
            builder.finish(dataset.result);
            plan_publication(dataset, config, part.path().filename().string());
        }
        assert(!has_record);
    }

    DatasetConfig config_of(const Dataset& dataset) const {
        DatasetConfig config;
        config.archive = setup_.config.archive;
        config.group = setup_.groups.name(dataset.group);
        config.scenario = setup_.config.scenario;
        config.name = live_dataset_name(job_.facts.probe, name_time(dataset));
        config.fields = setup_.config.fields;
        config.compress = setup_.config.compress;
        for (const proto::Setting& setting : job_.facts.hello.configuration()) {
            config.configuration.emplace_back(setting.name(), setting.value());
        }
        const signatures::GroupRules& rules = setup_.groups.rules(dataset.group);
        for (const auto& [role, addresses] : rules.roles()) {
            config.configuration.emplace_back("role_" + role,
                                              fmt::format("{}", fmt::join(addresses, ",")));
        }
        config.ruleset_hash = rules.content_hash();
        const LabelRules labels = setup_.groups.label_rules(dataset.group);
        config.vocabulary = static_cast<uint64_t>(labels.content.set().vocabulary().version());
        config.signatures_hash = job_.facts.hello.signatures_hash();
        config.program_version = setup_.program_version;
        config.probe_id = job_.facts.probe_id;
        config.epoch = job_.facts.epoch;
        return config;
    }

    // One window for everything begins with the epoch's first packet.
    uint64_t name_time(const Dataset& dataset) const {
        if (job_.minutes != 0) {
            return dataset.window.from_ns;
        }
        const auto& ledger = job_.facts.ledger;
        if (ledger && ledger->first_packet_ns() != 0) {
            return ledger->first_packet_ns();
        }
        return dataset.start_ns != UINT64_MAX ? dataset.start_ns : job_.facts.hello.started_ns();
    }

    void plan_publication(Dataset& dataset, const DatasetConfig& config, std::string part) {
        SealResult& sealed = dataset.result;
        sealed.ledger = job_.facts.ledger;
        assert(sealed.records.received ==
               std::accumulate(sealed.records.refused.begin(),
                               sealed.records.refused.end(),
                               sealed.records.written,
                               [](uint64_t sum, const auto& entry) { return sum + entry.second; }));
        const uint64_t before = state_.sealed_through(job_.minutes, dataset.window.from_ns);
        const LiveFacts live{
            .window = job_.minutes == 0 ? std::nullopt : std::optional(dataset.window),
            .epoch = job_.facts,
            .unclean_end = job_.unclean_end,
            .lost_at_the_end = job_.lost_at_the_end,
            .reach = reach_of(dataset)};
        const Encoding encoding = DatasetBuilder::encoding_of(config);
        publications_.push_back(
            {.part = std::move(part),
             .group = config.group,
             .scenario = config.scenario,
             .name = config.name,
             .encoding = encoding,
             .sums = sealed.sums,
             .manifest = render_manifest(
                 {config, encoding, first_of_job(before), job_.through, sealed, &live})});
        ++result_.datasets;
    }

    // The window, and the records that began before it.
    LossSpan reach_of(const Dataset& dataset) const {
        if (job_.minutes == 0 || !job_.unclean_end.empty()) {
            return {0, UINT64_MAX};
        }
        return {std::min(dataset.window.from_ns, dataset.start_ns),
                std::max(dataset.window.to_ns - 1, dataset.end_ns)};
    }

    // No record of the window before this one is left.
    uint64_t first_of_job(uint64_t sealed_before) const {
        const uint64_t first = job_.files.empty() ? 1 : job_.files.front().first_sequence;
        return std::min(std::max(first, sealed_before + 1), job_.through);
    }

    void commit() {
        if (job_.all_windows) {
            state_.all_through = job_.through;
        } else {
            for (const uint64_t window : job_.windows) {
                state_.mark(job_.minutes, window, job_.through);
            }
        }
        state_.forget_before(job_.first_sequence);
        state_.final_ledger_sealed =
            state_.final_ledger_sealed || (job_.facts.has_final_ledger() && !datasets_.empty());
        // What comes after it makes it untold again: the epoch went on.
        state_.unclean_end_sealed =
            !job_.unclean_end.empty() && (state_.unclean_end_sealed || !datasets_.empty());
        state_.publications = std::move(publications_);
        try {
            save_seal_state(state_path_, state_);
        } catch (const std::runtime_error&) {
            keep_bound_parts();
            throw;
        }
        keep_parts();
    }

    // A save that failed may have replaced the state all the same, and then it binds.
    void keep_bound_parts() {
        try {
            if (load_seal_state(state_path_).publications.empty()) {
                return;
            }
        } catch (const std::runtime_error&) {
        }
        keep_parts();
    }

    void keep_parts() {
        for (PartFile& part : parts_) {
            part.keep();
        }
    }

    const SealJob& job_;
    const SealSetup& setup_;
    LineMemory& memory_;
    uint64_t added_through_ = 0;  // the last sequence that the memory has
    fs::path folder_;
    fs::path state_path_;
    SealState state_;
    RecordSorter sorter_;
    BatchDecoder decoder_;
    proto::FlowBatch batch_;
    std::map<uint32_t, Dataset> datasets_;
    std::vector<PartFile> parts_;
    std::vector<Publication> publications_;
    SealedWindows result_;
    bool may_remove_more_ = true;
};

}  // namespace

fs::path open_folder(const fs::path& archive) {
    return archive / "open";
}

// A flow has the names of its beginning, and its record comes at its end, at the latest after the
// probe's active timeout.
uint64_t forgotten_before_ns(const SealJob& job) {
    constexpr const char* kActiveTimeout = "active_timeout_s";
    constexpr uint64_t kLeast_s = 600;
    constexpr uint64_t kLongestTimeout_s = 86'400;
    uint64_t longest_s = kLeast_s;
    for (const proto::Setting& setting : job.facts.hello.configuration()) {
        if (setting.name() == kActiveTimeout) {
            uint64_t seconds = 0;
            std::from_chars(
                setting.value().data(), setting.value().data() + setting.value().size(), seconds);
            longest_s = std::clamp(seconds, kLeast_s, kLongestTimeout_s);
        }
    }
    uint64_t complete_ns = job.windows.empty() ? 0 : job.windows.back();
    if (job.minutes == 0) {
        complete_ns = job.facts.ledger ? job.facts.ledger->complete_until_ns() : 0;
    }
    return complete_ns - std::min(complete_ns, longest_s * 1'000'000'000);
}

SealedWindows seal_windows(const SealJob& job,
                           const SealSetup& setup,
                           LineMemory& memory,
                           size_t sort_memory_octets) {
    assert(std::is_sorted(job.windows.begin(), job.windows.end()));
    return WindowSealer(job, setup, memory, sort_memory_octets).run();
}

std::set<fs::path> complete_publications(const fs::path& archive,
                                         std::vector<std::string>& problems) {
    // What a crash left of the index is mended, whether or not something follows.
    if (fs::exists(archive / kIndexName)) {
        const ArchiveIndex index(archive);
    }
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(open_folder(archive))) {
        files.push_back(entry.path());
    }
    std::set<fs::path> bound;
    std::set<fs::path> wanted;
    for (const fs::path& file : files) {
        if (!file.native().ends_with(kSealStateSuffix)) {
            continue;
        }
        SealState state = load_seal_state(file);
        try {
            publish_left(archive, file, state);
        } catch (const std::exception& error) {
            bound.insert(file);
            problems.emplace_back(error.what());
            for (const Publication& waiting : state.publications) {
                wanted.insert(file.parent_path() / waiting.part);
            }
        }
    }
    for (const fs::path& file : files) {
        if (file.native().ends_with(kPartSuffix) && !wanted.contains(file)) {
            std::error_code ignored;
            fs::remove(file, ignored);
        }
    }
    return bound;
}

}  // namespace curlew::collector

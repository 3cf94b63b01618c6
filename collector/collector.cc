#include "collector/collector.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <stdexcept>

#include "collector/archive_name.h"
#include "collector/durable_file.h"
#include "collector/selection.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using std::chrono::milliseconds;

// How long a wait for a frame lasts before the stop request is looked at again.
constexpr milliseconds kPoll{50};
// So that a fast probe still gets its acknowledgements.
constexpr int kFramesPerAnswer = 64;

void require_name(const char* what, const std::string& name, const std::string& problem) {
    if (!problem.empty()) {
        throw std::runtime_error(fmt::format(
            "the {} \"{}\" cannot be a name in an archive: {}", what, wire_text(name), problem));
    }
}

void require_usable(const DatasetConfig& config) {
    require_name("group", config.group, archive_name_problem(config.group));
    require_name("scenario", config.scenario, archive_name_problem(config.scenario));
    require_name("dataset name", config.name, dataset_name_problem(config.name));
    if (config.preset != kCurlewPreset && config.preset != kJoyPreset) {
        throw std::runtime_error(
            fmt::format("the collector writes no preset \"{}\"", config.preset));
    }
    const Selection selection(config.selection);
}

}  // namespace

Collector::Collector(DatasetConfig config, const LabelRules& rules, size_t most_kept_octets)
    : config_(std::move(config)),
      rules_(rules),
      part_(config_.archive / config_.group / config_.scenario / (config_.name + ".part")),
      sequence_(config_.probe_id, config_.epoch) {
    assert(rules.group.problems().empty());
    assert(most_kept_octets >= proto::kFrameHeaderOctets + proto::kMaximumFrameBodyOctets);
    require_usable(config_);
    try {
        make_folders();
        lock_ = open_locked(part_);
        sealer_ = std::make_unique<Sealer>(config_, rules_, part_);
        kept_octets_ = proto::MappedMemory(most_kept_octets, "frames of a run");
    } catch (...) {
        discard();
        throw;
    }
}

void Collector::make_folders() {
    try {
        // What verify does not follow is not written to.
        const std::filesystem::path group = config_.archive / config_.group;
        for (const std::filesystem::path& folder : {group, group / config_.scenario}) {
            if (std::filesystem::is_symlink(std::filesystem::symlink_status(folder))) {
                throw std::runtime_error(fmt::format(
                    "{} is a link, and an archive's folders are its own", folder.string()));
            }
        }
        make_folders_durably(part_.parent_path(), made_folders_);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(
            fmt::format("cannot write the archive {}: {}", config_.archive.string(), error.what()));
    }
}

FrameVerdict Collector::judge(const proto::FrameHeader& header) {
    const FrameVerdict verdict = sequence_.judge(header);
    counters_.frames_duplicate += verdict == FrameVerdict::duplicate ? 1 : 0;
    counters_.frames_out_of_sequence += verdict == FrameVerdict::out_of_sequence ? 1 : 0;
    counters_.frames_foreign += verdict == FrameVerdict::foreign ? 1 : 0;
    counters_.frames_unexpected += verdict == FrameVerdict::unexpected ? 1 : 0;
    return verdict;
}

void Collector::read_kept() {
    for (const proto::FrameView& frame : kept_) {
        sealer_->take(frame);
    }
    kept_.clear();
    kept_used_ = 0;
}

void Collector::keep(const proto::ReceivedFrame& frame) {
    if (frame.octets.size() > kept_octets_.octets() - kept_used_) {
        read_kept();
        sealer_->let_go();
    }
    kept_front_.fill({kept_octets_.data(), kept_octets_.octets()},
                     kept_used_ + frame.octets.size());
    uint8_t* at = kept_octets_.data() + kept_used_;
    std::memcpy(at, frame.octets.data(), frame.octets.size());
    kept_used_ += frame.octets.size();
    proto::FrameView view = frame.view();
    view.body = {at + (view.frame_octets - view.body.size()), view.body.size()};
    kept_.push_back(view);
    sequence_.take(frame.header);
    if (frame.header.kind == proto::FrameKind::ledger) {
        sequence_.end();
    }
    ++counters_.frames_taken;
}

void Collector::answer(proto::ChannelReceiver& receiver) {
    for (const std::string& peer : unanswered_) {
        receiver.acknowledge(peer, config_.probe_id, config_.epoch, sequence_.last());
    }
    unanswered_.clear();
}

void Collector::take(proto::ChannelReceiver& receiver, const proto::ReceivedFrame& frame) {
    if (frame.header.kind == proto::FrameKind::hello) {
        if (frame.header.probe_id != config_.probe_id || frame.header.epoch != config_.epoch) {
            ++counters_.frames_foreign;
            return;
        }
        receiver.welcome(frame, sequence_.last());
        return;
    }
    const FrameVerdict verdict = judge(frame.header);
    if (verdict == FrameVerdict::next) {
        keep(frame);
    }
    // A duplicate means that an acknowledgement may have been lost, so it is answered too.
    const bool known =
        std::find(unanswered_.begin(), unanswered_.end(), frame.peer) != unanswered_.end();
    const bool taken = verdict == FrameVerdict::next || verdict == FrameVerdict::duplicate;
    if (taken && !known) {
        unanswered_.push_back(frame.peer);
    }
}

bool Collector::collect(proto::ChannelReceiver& receiver, std::stop_token stop) {
    assert(sealer_ != nullptr);
    while (!sequence_.ended()) {
        std::optional<proto::ReceivedFrame> frame = receiver.receive(kPoll);
        if (!frame && stop.stop_requested()) {
            return false;
        }
        for (int taken = 0; frame && taken < kFramesPerAnswer; ++taken) {
            take(receiver, *frame);
            const bool more = !sequence_.ended() && taken + 1 < kFramesPerAnswer;
            frame = more ? receiver.receive(milliseconds(0)) : std::nullopt;
        }
        answer(receiver);
    }
    return true;
}

SealResult Collector::seal() {
    assert(sealer_ != nullptr);
    read_kept();
    SealResult result = sealer_->seal();
    sealer_.reset();
    lock_ = {};
    return result;
}

void Collector::discard() {
    sealer_.reset();
    if (lock_.get() >= 0) {
        ::unlink(part_.c_str());
        lock_ = {};
    }
    for (auto folder = made_folders_.rbegin(); folder != made_folders_.rend(); ++folder) {
        ::rmdir(folder->c_str());
    }
    made_folders_.clear();
}

}  // namespace curlew::collector

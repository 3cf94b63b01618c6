#include "collector/collector.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
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
// Frames of one commit, so that a fast probe still gets its acknowledgements.
constexpr int kFramesPerCommit = 64;

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

Collector::Collector(DatasetConfig config, const LabelRules& rules)
    : config_(std::move(config)), rules_(rules), sequence_(config_.probe_id, config_.epoch) {
    assert(rules.group.problems().empty());
    require_usable(config_);
    try {
        make_folders();
        open_segment();
    } catch (...) {
        if (config_.resume) {
            segment_.reset();  // what a crash left is evidence: it stays
        }
        discard();
        throw;
    }
}

void Collector::make_folders() {
    try {
        make_folders_durably(config_.archive / config_.group / config_.scenario, made_folders_);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(
            fmt::format("cannot write the archive {}: {}", config_.archive.string(), error.what()));
    }
}

void Collector::open_segment() {
    const std::filesystem::path path =
        config_.archive / config_.group / config_.scenario / (config_.name + ".open");
    segment_ = std::make_unique<Segment>(
        path, config_.resume ? Segment::Start::recovered : Segment::Start::afresh);
    if (config_.resume) {
        take_up_segment();
    }
}

void Collector::take_up_segment() {
    SegmentReader reader(segment_->path());
    proto::FrameView frame;
    while (reader.next(frame)) {
        if (judge(frame.header) != FrameVerdict::next) {
            throw std::runtime_error(fmt::format(
                "cannot take up {}: its frames are not those of this probe and epoch in sequence",
                segment_->path().string()));
        }
        note_stored(frame.header);
    }
    durable_sequence_ = sequence_.last();
}

FrameVerdict Collector::judge(const proto::FrameHeader& header) {
    const FrameVerdict verdict = sequence_.judge(header);
    counters_.frames_duplicate += verdict == FrameVerdict::duplicate ? 1 : 0;
    counters_.frames_out_of_sequence += verdict == FrameVerdict::out_of_sequence ? 1 : 0;
    counters_.frames_foreign += verdict == FrameVerdict::foreign ? 1 : 0;
    counters_.frames_unexpected += verdict == FrameVerdict::unexpected ? 1 : 0;
    return verdict;
}

void Collector::note_stored(const proto::FrameHeader& header) {
    sequence_.take(header);
    if (header.kind == proto::FrameKind::ledger) {
        sequence_.end();
    }
}

void Collector::store(const proto::ReceivedFrame& frame) {
    segment_->append({reinterpret_cast<const uint8_t*>(frame.octets.data()), frame.octets.size()});
    note_stored(frame.header);
    ++counters_.frames_stored;
}

void Collector::commit(proto::ChannelReceiver& receiver) {
    if (durable_sequence_ < sequence_.last()) {
        if (config_.synced) {
            segment_->sync();
            ++counters_.commits;
        }
        durable_sequence_ = sequence_.last();
    }
    for (const std::string& peer : unanswered_) {
        receiver.acknowledge(peer, config_.probe_id, config_.epoch, durable_sequence_);
    }
    unanswered_.clear();
}

void Collector::take(proto::ChannelReceiver& receiver, const proto::ReceivedFrame& frame) {
    if (frame.header.kind == proto::FrameKind::hello) {
        if (frame.header.probe_id != config_.probe_id || frame.header.epoch != config_.epoch) {
            ++counters_.frames_foreign;
            return;
        }
        commit(receiver);
        receiver.welcome(frame, durable_sequence_);
        return;
    }
    const FrameVerdict verdict = judge(frame.header);
    if (verdict == FrameVerdict::next) {
        store(frame);
    }
    // A duplicate means that an acknowledgement may have been lost, so it is answered too.
    const bool known =
        std::find(unanswered_.begin(), unanswered_.end(), frame.peer) != unanswered_.end();
    const bool stored = verdict == FrameVerdict::next || verdict == FrameVerdict::duplicate;
    if (stored && !known) {
        unanswered_.push_back(frame.peer);
    }
}

bool Collector::collect(proto::ChannelReceiver& receiver, std::stop_token stop) {
    assert(segment_ != nullptr);
    while (!sequence_.ended()) {
        std::optional<proto::ReceivedFrame> frame = receiver.receive(kPoll);
        if (!frame && stop.stop_requested()) {
            return false;
        }
        // One sync for all that waits: it takes milliseconds, whatever it covers.
        for (int taken = 0; frame && !sequence_.ended() && taken < kFramesPerCommit; ++taken) {
            take(receiver, *frame);
            frame = sequence_.ended() || taken + 1 == kFramesPerCommit
                        ? std::nullopt
                        : receiver.receive(milliseconds(0));
        }
        commit(receiver);
    }
    return true;
}

SealResult Collector::seal() {
    assert(segment_ != nullptr);
    SealResult result = collector::seal(config_, rules_, segment_->path());
    ::unlink(segment_->path().c_str());
    segment_.reset();
    return result;
}

void Collector::discard() {
    if (segment_ != nullptr) {
        ::unlink(segment_->path().c_str());
        segment_.reset();
    }
    for (auto folder = made_folders_.rbegin(); folder != made_folders_.rend(); ++folder) {
        ::rmdir(folder->c_str());
    }
    made_folders_.clear();
}

}  // namespace curlew::collector

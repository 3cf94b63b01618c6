#include "collector/probe_stream.h"

#include <cassert>
#include <stdexcept>
#include <utility>

namespace curlew::collector {
namespace {

using std::chrono::seconds;

// After a disk failed: the probe comes again about as soon.
constexpr seconds kPauseAfterFailure{2};
constexpr seconds kPauseAfterFailedSeal{10};

constexpr const char* kUncleanEnd = "the probe began anew without a last ledger";

}  // namespace

ProbeStream::ProbeStream(Journal journal)
    : journal_(std::move(journal)),
      final_ledger_sealed_(journal_.final_ledger_sealed()),
      unclean_end_sealed_(journal_.unclean_end_sealed()) {}

void ProbeStream::supersede(uint64_t started_ns) noexcept {
    if (!superseded_) {
        superseded_ = true;
        superseded_ns_ = started_ns;
    }
}

bool ProbeStream::needs_end() const noexcept {
    return ended() ? !final_ledger_sealed_ : superseded_ && !unclean_end_sealed_;
}

// What was metered and not delivered has its last packet in this: the newest ledger says up to
// where everything was.
LossSpan ProbeStream::lost_at_the_end() const {
    uint64_t from_ns = facts().hello.started_ns();
    if (const auto& ledger = facts().ledger; ledger && ledger->complete_until_ns() != 0) {
        from_ns = ledger->complete_until_ns();
    }
    return {from_ns, superseded_ns_ > from_ns ? superseded_ns_ : UINT64_MAX};
}

void ProbeStream::hello(const std::string& peer, uint64_t first_held, Moment now) {
    commit(now);
    if (!ended() && first_held > last_durable() + 1) {
        journal_.skip_to(first_held);
    }
    peer_ = peer;
    last_heard_ = now;
    superseded_ = false;
    unclean_end_sealed_ = false;
}

uint64_t ProbeStream::last_received() const noexcept {
    uint64_t last = last_durable();
    const std::vector<Gap>& gaps = facts().gaps;
    for (auto gap = gaps.rbegin(); gap != gaps.rend() && gap->last == last; ++gap) {
        last = gap->first - 1;
    }
    return last;
}

FrameVerdict ProbeStream::take(const proto::ReceivedFrame& frame, Moment now) {
    last_heard_ = now;
    const FrameVerdict verdict = journal_.judge(frame.header);
    if (verdict != FrameVerdict::next) {
        return verdict;
    }
    try {
        journal_.append(frame.view(), frame.octets);
    } catch (const std::runtime_error&) {
        journal_.fall_back();
        paused_until_ = now + kPauseAfterFailure;
        throw;
    }
    return verdict;
}

void ProbeStream::commit(Moment now) {
    try {
        journal_.sync();
    } catch (const std::runtime_error&) {
        journal_.fall_back();
        paused_until_ = now + kPauseAfterFailure;
        throw;
    }
}

std::optional<SealJob> ProbeStream::next_job(const Rotation& rotation,
                                             bool everything,
                                             Moment now) {
    assert(!is_dirty());
    if (is_sealing() || now < seal_again_) {
        return std::nullopt;
    }
    journal_.set_minutes(rotation.minutes);
    const bool end_waits = needs_end();
    if (!end_waits && !is_bound_ && !journal_.has_waiting()) {
        return std::nullopt;
    }
    std::vector<uint64_t> windows = journal_.waiting_windows();
    const bool all = end_waits || ended() || superseded_ || everything || is_silent(now) ||
                     journal_.waiting_octets() >= rotation.octets ||
                     windows.size() > kMaximumWaitingWindows;
    if (!all) {
        windows = journal_.complete_windows();
        if (windows.empty() && !is_bound_) {
            return std::nullopt;
        }
    }
    const bool is_unclean = superseded_ && !ended();
    job_ = {windows, last_durable()};
    return SealJob{.facts = facts(),
                   .files = journal_.close(),
                   .first_sequence = journal_.first_sequence(),
                   .minutes = journal_.minutes(),
                   .windows = std::move(windows),
                   .all_windows = all,
                   .through = last_durable(),
                   .unclean_end = is_unclean ? kUncleanEnd : "",
                   .lost_at_the_end = is_unclean ? std::optional(lost_at_the_end()) : std::nullopt};
}

void ProbeStream::sealed(const SealedWindows& result) {
    assert(is_sealing());
    const Running done = *std::exchange(job_, std::nullopt);
    is_bound_ = false;
    final_ledger_sealed_ = final_ledger_sealed_ || result.final_ledger;
    // A hello may have come since the job was made.
    unclean_end_sealed_ = superseded_ && result.unclean_end;
    journal_.forget(done.windows, done.through);
}

void ProbeStream::seal_failed(Moment now) {
    assert(is_sealing());
    job_.reset();
    set_bound(now);
}

void ProbeStream::set_bound(Moment now) {
    is_bound_ = true;
    seal_again_ = now + kPauseAfterFailedSeal;
}

bool ProbeStream::is_done() const noexcept {
    return !is_sealing() && !is_bound_ && !is_dirty() && !journal_.has_waiting() &&
           (ended() ? final_ledger_sealed_ : superseded_ && unclean_end_sealed_);
}

}  // namespace curlew::collector

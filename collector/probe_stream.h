#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/config.h"
#include "collector/journal.h"
#include "collector/seal_windows.h"
#include "proto/channel.h"

// One epoch of one probe: its journal, who says to be it, and when its records are sealed. One
// thread calls everything.

namespace curlew::collector {

// A clock that only goes forward, told by the caller.
using Moment = std::chrono::steady_clock::time_point;

// What a probe sent is sealed as it is when nothing was heard of it for so long: it may never come
// back. Ledgers come every hour at least (probe configuration). What comes later, of the same
// windows too, gets datasets of its own.
inline constexpr std::chrono::hours kSealedAfterSilence{2};

// More windows than this are not waited for: the probe's clock is wrong, or worse.
inline constexpr size_t kMaximumWaitingWindows = 1024;

// Of each probe, received and not yet sealed: one rotation is sealed while the next comes.
inline constexpr uint64_t kRotationsToWait = 2;

class ProbeStream {
  public:
    explicit ProbeStream(Journal journal);

    const EpochFacts& facts() const noexcept { return journal_.facts(); }
    BatchError ledger_error() const noexcept { return journal_.ledger_error(); }
    uint64_t last_durable() const noexcept { return journal_.last_durable(); }
    // Without what came never: the last that is in the journal, or was.
    uint64_t last_received() const noexcept;
    // The final ledger is stored.
    bool ended() const noexcept { return journal_.ended(); }
    const Journal& journal() const noexcept { return journal_; }

    // Who said hello last; empty: nobody since the start.
    const std::string& peer() const noexcept { return peer_; }
    // Taken up at a start: its silence begins now.
    void recovered(Moment now) noexcept { last_heard_ = now; }
    Moment last_heard() const noexcept { return last_heard_; }
    bool is_silent(Moment now) const noexcept { return now - last_heard_ >= kSealedAfterSilence; }
    // A hello of this epoch, whose probe holds what is from `first_held` on. What lies between that
    // and last_durable() is lost. Throws std::runtime_error when this cannot be written down, and
    // has not heard it then.
    void hello(const std::string& peer, uint64_t first_held, Moment now);

    // Another epoch of the probe began at `started_ns`; a hello revives this one.
    void supersede(uint64_t started_ns) noexcept;
    bool superseded() const noexcept { return superseded_; }

    // Batches and ledgers. Throws std::runtime_error when it cannot be stored: everything that is
    // not durable is forgotten then, and nothing is taken until a little later.
    FrameVerdict take(const proto::ReceivedFrame& frame, Moment now);
    bool is_paused(Moment now) const noexcept { return now < paused_until_; }

    // Makes durable what was taken. Throws as take().
    void commit(Moment now);
    bool is_dirty() const noexcept { return journal_.is_dirty(); }

    // What is to be sealed now, if anything: the epoch's end, a silent probe's, too much waiting,
    // or complete windows. `everything`: whatever waits, to make room. Until sealed() or
    // seal_failed() there is no other job. Requires: not dirty.
    std::optional<SealJob> next_job(const Rotation& rotation, bool everything, Moment now);
    bool is_sealing() const noexcept { return job_.has_value(); }
    // Throws std::runtime_error when what was sealed cannot be deleted now; it will be later.
    void sealed(const SealedWindows& result);
    void seal_failed(Moment now);
    // A start could not publish what it was bound to: as after a job that failed.
    void set_bound(Moment now);
    // The last job failed, and none has gone well since.
    bool is_bound() const noexcept { return is_bound_; }
    // So, and what waits is much already: no more is taken, or it would have no end.
    bool is_full(const Rotation& rotation) const noexcept {
        return is_bound_ && journal_.waiting_octets() >= kRotationsToWait * rotation.octets;
    }

    // Nothing of it waits and nothing comes any more.
    bool is_done() const noexcept;
    void remove() { journal_.remove(); }

  private:
    // Its end is known and no manifest tells it yet.
    bool needs_end() const noexcept;
    LossSpan lost_at_the_end() const;

    struct Running {
        std::vector<uint64_t> windows;
        uint64_t through;
    };

    Journal journal_;
    std::string peer_;
    Moment last_heard_;
    Moment paused_until_;
    Moment seal_again_;
    bool superseded_ = false;
    uint64_t superseded_ns_ = 0;  // when the other one began
    bool final_ledger_sealed_;
    bool unclean_end_sealed_;
    // The last job failed, and may have datasets that only another one publishes.
    bool is_bound_ = false;
    std::optional<Running> job_;
};

}  // namespace curlew::collector

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "collector/durable_file.h"
#include "collector/probe_stream.h"
#include "proto/channel.h"

// Takes what the probes send, and says what they are to be answered. Knows no channel and no
// thread: one thread gives it frames and time, and sends its answers.
//
// A probe is its id; each of its starts is an epoch with a journal of its own. Nothing that was
// acknowledged is lost, and nothing counts twice. Who has a key is the probe that the key stands
// for, and speaks for no other.

namespace curlew::collector {

struct Answer {
    enum class Kind : uint8_t { welcome, refuse, acknowledge };

    Kind kind = Kind::acknowledge;
    proto::ReceivedFrame hello;  // of welcome and refuse, without its octets
    proto::RefusalReason reason = proto::REFUSAL_REASON_UNSPECIFIED;
    std::string sentence;
    std::string peer;  // of acknowledge, as the others
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    uint64_t last_durable = 0;
};

struct IntakeCounters {
    uint64_t records_stored = 0;
    uint64_t frames_stored = 0;
    uint64_t frames_duplicate = 0;
    uint64_t frames_out_of_sequence = 0;
    uint64_t frames_foreign = 0;        // of a peer that said no hello, nor anybody before it
    uint64_t frames_impersonating = 0;  // of a probe that the peer's key does not stand for
    // Empty batches, kinds that no probe sends, ledgers that cannot be read.
    uint64_t frames_unexpected = 0;
    uint64_t frames_unstored = 0;  // disk or seals failed: they come again
    uint64_t hellos_refused = 0;
    uint64_t commits = 0;
    uint64_t gaps = 0;  // times that something is lost for good
};

// The newest epoch of a probe that is not forgotten.
struct ProbeStatus {
    std::string name;
    uint64_t started_ns = 0;
    // Nothing: not since the collector's start.
    std::optional<Moment::duration> heard_ago;
    std::optional<Moment::duration> acknowledged_ago;
    uint64_t last_durable = 0;       // sequence
    uint64_t sequences_missing = 0;  // in gaps
    uint64_t octets_waiting = 0;     // stored and not yet sealed
    std::optional<proto::ProbeLedger> ledger;
};

class Intake {
  public:
    // Sends a stream's probe its last acknowledgement once more, which harms nobody. False when it
    // is no longer there.
    using AcknowledgeAgain = std::function<bool(const ProbeStream&)>;

    // Makes ARCHIVE/open, locks it until destruction, publishes and takes up what an earlier run
    // left; sentences about that go to `problems`. Throws std::runtime_error with one sentence,
    // also when another collector serves the archive.
    Intake(const std::filesystem::path& archive,
           const Rotation& rotation,
           std::vector<std::string>& problems,
           Moment now,
           uint64_t journal_file_octets = kJournalFileOctets);

    void take(const proto::ReceivedFrame& frame,
              const AcknowledgeAgain& acknowledge_again,
              Moment now);

    // Makes durable what was taken, with one sync for each journal, and answers it.
    void commit(Moment now);

    // What is to be sent; each is given once.
    std::vector<Answer> answers();
    // What an operator should know of, one sentence each, given once.
    std::vector<std::string> news();

    // The next job that is due; each has to be reported back. Commits before. Calls set_rotation's
    // wishes into force on the way.
    std::optional<SealJob> next_job(Moment now);
    void sealed(const SealJob& job, const SealedWindows& result);
    void seal_failed(const SealJob& job, Moment now);

    // In force for each probe when nothing of it is being sealed.
    void set_rotation(const Rotation& rotation) { rotation_ = rotation; }

    // Forgets epochs that are sealed to their end, but for the newest few of each probe.
    void tidy_up();

    // Of probes that have an epoch which has not ended.
    size_t probes() const noexcept;
    uint64_t waiting_octets() const noexcept;
    // Of probes whose last seal did not fail: what will be less.
    uint64_t sealable_octets() const noexcept;
    // One for each name, in order of the names; none that ended and is silent for a while.
    std::vector<ProbeStatus> probe_status(Moment now) const;
    // One sentence while the disk does not take what comes, or journals are not kept in order; else
    // empty.
    std::string trouble() const;
    const IntakeCounters& counters() const noexcept { return counters_; }

  private:
    struct Stream {
        ProbeStream stream;
        bool to_answer = false;
        std::optional<Moment> acknowledged = std::nullopt;
        bool is_ledger_refused = false;  // the last one
        // Another epoch of the probe that said hello while this one was connected.
        uint64_t rival = 0;
        Moment rival_since;
    };

    void lock();
    // `bound`: of the states whose datasets could not be published yet.
    void recover(const std::set<std::filesystem::path>& bound,
                 std::vector<std::string>& problems,
                 Moment now);
    Stream* find(uint64_t probe_id, uint64_t epoch);
    // The epoch of the probe that is not superseded.
    Stream* current(uint64_t probe_id);
    // What the peer's key says against the frame: empty when nothing.
    static std::string impersonation(const proto::ReceivedFrame& frame);
    void take_hello(const proto::ReceivedFrame& frame,
                    const AcknowledgeAgain& acknowledge_again,
                    Moment now);
    bool is_welcome(const proto::ReceivedFrame& frame,
                    const AcknowledgeAgain& acknowledge_again,
                    Moment now,
                    proto::Hello& hello);
    // One more epoch, if it is one.
    bool has_room_for(const proto::ReceivedFrame& frame);
    void refuse(const proto::ReceivedFrame& frame,
                proto::RefusalReason reason,
                std::string sentence);
    void take_records(const proto::ReceivedFrame& frame, Moment now);
    void judge_ledger(Stream& stream);
    bool commit(Stream& stream, Moment now);
    void forget(std::list<Stream>::iterator stream);
    // For one more stream, where there is one that is sealed to its end.
    bool make_room();
    void disk_failed(const std::exception& error);

    std::filesystem::path folder_;
    Rotation rotation_;
    uint64_t journal_file_octets_;
    FileDescriptor lock_;
    BatchDecoder decoder_;
    std::list<Stream> streams_;
    std::vector<Answer> answers_;
    std::vector<std::string> news_;
    std::string disk_trouble_;    // the disk does not take what comes
    std::string upkeep_trouble_;  // since the last tidy_up()
    IntakeCounters counters_;
};

}  // namespace curlew::collector

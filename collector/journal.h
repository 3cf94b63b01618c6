#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/frame_sequence.h"
#include "collector/journal_reader.h"
#include "collector/record_times.h"
#include "collector/seal_state.h"
#include "collector/segment.h"

// Writes the journal of one probe and epoch (journal_reader.h has its format), and knows which
// windows wait in it. One thread calls everything.
//
// What throws does so with std::runtime_error and one sentence, and changes nothing that was
// durable. After append() or sync() threw: fall_back().

namespace curlew::collector {

// A file is closed at this length, so that what is sealed is deleted in parts.
inline constexpr uint64_t kJournalFileOctets = uint64_t{64} << 20;

struct ClosedFile {
    std::filesystem::path path;
    uint64_t first_sequence = 0;
    uint64_t last_sequence = 0;
};

class Journal {
  public:
    // Of an epoch that begins. Nothing is written yet.
    Journal(std::filesystem::path folder,
            EpochFacts facts,
            uint32_t minutes,
            uint64_t file_octets = kJournalFileOctets);

    // Takes up what a crash left: the files of one epoch, in sequence. Those without a front are
    // renamed to `.damaged`; each sentence about what is missing goes to `problems`. Throws when
    // they cannot be read, and JournalFrontError when none has a front.
    Journal(std::filesystem::path folder,
            const std::vector<std::filesystem::path>& files,
            uint32_t minutes,
            std::vector<std::string>& problems,
            uint64_t file_octets = kJournalFileOctets);

    const EpochFacts& facts() const noexcept { return facts_; }
    FrameVerdict judge(const proto::FrameHeader& header) const { return sequence_.judge(header); }
    // The last ledger is stored: nothing follows.
    bool ended() const noexcept { return sequence_.ended(); }
    uint64_t last_durable() const noexcept { return durable_sequence_; }

    // As the state of an earlier start said; kept by the caller from then on.
    bool final_ledger_sealed() const noexcept { return final_ledger_sealed_; }
    bool unclean_end_sealed() const noexcept { return unclean_end_sealed_; }

    // Requires: judged `next`; `octets` is the whole frame.
    void append(const proto::FrameView& frame, std::string_view octets);
    // What is wrong with the last ledger appended, which tells nothing then.
    BatchError ledger_error() const noexcept { return ledger_error_; }

    bool is_dirty() const noexcept { return durable_sequence_ < sequence_.last(); }
    // All that was appended is durable once this returns.
    void sync();

    // Back to what is durable, in a new file from there on.
    void fall_back() noexcept;

    // Everything behind last_durable() and before `sequence` is a gap. Requires: not dirty.
    void skip_to(uint64_t sequence);

    // Octets in files with records to seal.
    uint64_t waiting_octets() const noexcept;
    bool has_waiting() const noexcept;
    // Starts of windows with records to seal: all, and those that the newest ledger says to be
    // complete. What came late to a sealed window waits for the next window's end.
    std::vector<uint64_t> waiting_windows() const;
    std::vector<uint64_t> complete_windows() const;
    uint32_t minutes() const noexcept { return minutes_; }

    // Closes the file being written and gives those with records to seal, in sequence. They stay
    // until forget() is told of them. Requires: not dirty.
    std::vector<ClosedFile> close();

    // The first sequence that may be in a file.
    uint64_t first_sequence() const noexcept;

    // What was sealed: all records of those windows up to `through`. Deletes files from the front
    // that hold nothing else; the last one stays, or is replaced, for its name says what came.
    void forget(const std::vector<uint64_t>& windows, uint64_t through);

    // Counts anew, in windows of another length. Requires: not dirty; nobody seals.
    void set_minutes(uint32_t minutes);

    // The epoch is over, sealed and not asked for any more: deletes all its files.
    void remove();

  private:
    struct Waiting {
        uint64_t records = 0;
        uint64_t due_ns = 0;  // a ledger that is complete up to here makes it due
    };
    using WaitingWindows = std::map<uint64_t, Waiting>;
    struct File {
        std::filesystem::path path;
        uint64_t first_sequence = 0;
        uint64_t last_sequence = 0;
        uint64_t octets = 0;
        WaitingWindows waiting;
    };

    void begin_file();
    void count(const std::vector<uint64_t>& times,
               uint64_t first_sequence,
               const SealState* sealed,
               uint64_t complete_until_ns,
               WaitingWindows& waiting) const;
    void take_up(const std::filesystem::path& path,
                 uint64_t before_sequence,
                 const SealState& sealed,
                 std::vector<std::string>& problems);
    void count_file(File& file, uint64_t before_sequence, const SealState& sealed);
    uint64_t complete_until_ns() const;
    void delete_front_files();

    std::filesystem::path folder_;
    EpochFacts facts_;  // durable
    uint32_t minutes_;
    uint64_t file_octets_;
    FrameSequence sequence_;  // appended
    uint64_t durable_sequence_ = 0;
    bool final_ledger_sealed_ = false;
    bool unclean_end_sealed_ = false;
    BatchError ledger_error_ = BatchError::none;
    std::deque<File> files_;
    std::unique_ptr<Segment> segment_;  // of the last file; null: it is closed

    // Appended and not yet durable.
    uint64_t pending_octets_ = 0;
    WaitingWindows pending_waiting_;
    std::string pending_ledger_frame_;
    std::optional<proto::ProbeLedger> pending_ledger_;

    BatchDecoder decoder_;
    RecordTimes times_;
};

// When the last of these files of one epoch was written; no file: before all others.
std::filesystem::file_time_type last_stored(const std::vector<std::filesystem::path>& journals);

}  // namespace curlew::collector

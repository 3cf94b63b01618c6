#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "collector/batch_decoder.h"
#include "collector/record_times.h"
#include "collector/segment.h"
#include "proto/flow.pb.h"
#include "proto/frame.h"

// A journal holds the frames of one probe and epoch, exactly as they were received, in files
//
//     ARCHIVE/open/<probe>-<epoch, 16 hex digits>-<first sequence, 20 digits>.open
//
// A file speaks for itself. Its front tells what was known when it was begun; then come batches and
// ledgers in sequence, from the first sequence of its name on:
//
//     hello                   of the epoch
//     welcome, acknowledge    for each gap, a pair: the last sequence before it, its last
//     ledger                  the newest one before this file, when there was one
//     batch | ledger ...
//
// A file ends before the first sequence of the next one, whatever else lies in it: what could not
// be made durable was never acknowledged, came again, and is in the next file. A file's name alone
// says that everything before it was stored, or is a gap.

namespace curlew::collector {

// Sequences that will never come.
struct Gap {
    uint64_t first = 0;
    uint64_t last = 0;

    auto operator<=>(const Gap&) const = default;
};

// What is known of an epoch beside its records.
struct EpochFacts {
    std::string probe;  // its name
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    std::string hello_frame;
    proto::Hello hello;
    std::vector<Gap> gaps;     // in order
    std::string ledger_frame;  // the newest; empty: none yet
    std::optional<proto::ProbeLedger> ledger;

    bool has_final_ledger() const { return ledger && ledger->final(); }
    // What the clock of records says that do not tell their time.
    uint64_t clock_ns() const;
};

// Adds to gaps that are in order, and keeps them apart.
void add_gap(std::vector<Gap>& gaps, Gap gap);

struct JournalName {
    std::string probe;
    uint64_t epoch = 0;
    uint64_t first_sequence = 0;

    std::string file() const;
};

// Nothing when a file of that name is no journal's.
std::optional<JournalName> parse_journal_name(const std::string& file);

// Letters, digits and hyphens, 1 to 32 of them: [a-z0-9-].
bool is_probe_name(std::string_view name) noexcept;

// The front of a file that is begun now.
std::string journal_front(const EpochFacts& facts);

// A file without a whole front, which tells nothing.
class JournalFrontError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class JournalReader {
  public:
    // Reads the front. Throws JournalFrontError, or std::runtime_error when the file cannot be
    // read. `before_sequence` is the next file's first.
    JournalReader(const std::filesystem::path& path, uint64_t before_sequence);

    // The next batch or ledger in sequence; false at the end. The frame points into the reader
    // until the next call.
    bool next(proto::FrameView& frame);

    // As far as it was read.
    const EpochFacts& facts() const noexcept { return facts_; }
    uint64_t first_sequence() const noexcept { return first_sequence_; }
    uint64_t last_sequence() const noexcept { return next_sequence_ - 1; }
    uint64_t octets() const noexcept { return octets_; }

    // Of the batch that next() gave; good until the next call.
    const std::vector<uint64_t>& record_times(const proto::FrameView& batch);

  private:
    void read_front(const JournalName& name);
    void take_ledger(const proto::FrameView& frame);
    [[noreturn]] void throw_no_front() const;

    std::filesystem::path path_;
    SegmentReader reader_;
    BatchDecoder decoder_;
    EpochFacts facts_;
    RecordTimes times_;
    uint64_t first_sequence_ = 0;
    uint64_t next_sequence_ = 0;
    uint64_t before_sequence_;
    uint64_t octets_ = 0;
    std::optional<proto::FrameView> behind_front_;
    bool ended_ = false;
};

}  // namespace curlew::collector

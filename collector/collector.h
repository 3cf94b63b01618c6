#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "collector/annotator.h"
#include "collector/dataset_config.h"
#include "collector/frame_sequence.h"
#include "collector/seal.h"
#include "collector/segment.h"
#include "proto/channel.h"

// Owns one dataset from its first frame to its seal:
//
//     constructor -> collect -> seal        or, when the run cannot go on,        discard
//
// Destroyed without either, it leaves its open segment, which a later run takes up or replaces.
// One thread calls everything.

namespace curlew::collector {

// Frames that were not stored, each for its reason, and those that were.
struct CollectorCounters {
    uint64_t frames_stored = 0;
    uint64_t frames_duplicate = 0;        // all of it was stored before
    uint64_t frames_out_of_sequence = 0;  // something before it is missing, or it overlaps
    uint64_t frames_foreign = 0;          // of another probe or epoch
    uint64_t frames_unexpected = 0;       // empty batches, and kinds that no probe sends
    uint64_t commits = 0;                 // fdatasync calls
};

class Collector {
  public:
    // Makes the folder and the open segment. Throws SelectionError, or std::runtime_error with one
    // sentence: an archive that cannot be written, a dataset that another process writes, a name
    // that is no file name (empty, "." or "..", with '/', control characters or ill-formed UTF-8,
    // longer than 180 octets, or a dataset's name that ends in ".manifest"). Requires: the rules
    // outlive the collector and have no problems.
    Collector(DatasetConfig config, const LabelRules& rules);

    // Stores frames until the probe's ledger came; then true. False when `stop` was asked for
    // while nothing waited. Throws std::runtime_error on an I/O failure: nothing that was
    // acknowledged is lost, the segment is recoverable.
    bool collect(proto::ChannelReceiver& receiver, std::stop_token stop = {});

    // What is known of the capture as soon as all of it was read. Before seal(), where the
    // configuration did not say it.
    void set_capture(CaptureFacts capture) { config_.capture = std::move(capture); }

    // Seals what was stored and removes the segment. Requires: called once, not after discard().
    SealResult seal();

    // Removes the segment, and the folders if this collector made them and they are empty.
    void discard();

    const CollectorCounters& counters() const noexcept { return counters_; }

  private:
    void make_folders();
    void open_segment();
    void take_up_segment();
    FrameVerdict judge(const proto::FrameHeader& header);
    void note_stored(const proto::FrameHeader& header);
    void store(const proto::ReceivedFrame& frame);
    void commit(proto::ChannelReceiver& receiver);
    void take(proto::ChannelReceiver& receiver, const proto::ReceivedFrame& frame);

    DatasetConfig config_;
    LabelRules rules_;
    std::vector<std::filesystem::path> made_folders_;  // outermost first
    std::unique_ptr<Segment> segment_;
    std::vector<std::string> unanswered_;  // peers to tell at the next commit
    FrameSequence sequence_;               // appended; ended by the ledger
    uint64_t durable_sequence_ = 0;        // and synced
    CollectorCounters counters_;
};

}  // namespace curlew::collector

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
#include "collector/durable_file.h"
#include "collector/frame_sequence.h"
#include "collector/seal.h"
#include "proto/channel.h"
#include "proto/mapped_memory.h"

// Owns one dataset from its first frame to its seal:
//
//     constructor -> collect -> seal        or, when the run cannot go on,        discard
//
// Frames stay as they came, in memory, until all are there: to read them meanwhile takes caches
// from who meters. What is too much for that is sorted into files without a name. So a run that
// dies is begun anew; of one that was killed a `.part` file stays, which the next one takes. One
// thread at a time.

namespace curlew::collector {

// Frames that were not taken, each for its reason, and those that were.
struct CollectorCounters {
    uint64_t frames_taken = 0;
    uint64_t frames_duplicate = 0;        // all of it was taken before
    uint64_t frames_out_of_sequence = 0;  // something before it is missing, or it overlaps
    uint64_t frames_foreign = 0;          // of another probe or epoch
    uint64_t frames_unexpected = 0;       // empty batches, and kinds that no probe sends
};

class Collector {
  public:
    // Makes the folder and the `.part` file, which stays locked. Throws SelectionError, or
    // std::runtime_error with one sentence: an archive that cannot be written, a dataset that
    // another process writes, a name that is no file name (empty, "." or "..", with '/', control
    // characters or ill-formed UTF-8, longer than 180 octets, or a dataset's name that ends in
    // ".manifest"). Requires: the rules outlive the collector and have no problems; as much is kept
    // as the longest frame has octets.
    Collector(DatasetConfig config,
              const LabelRules& rules,
              size_t most_kept_octets = size_t{256} << 20);
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    // Takes frames until the probe's ledger came; then true. False when `stop` was asked for while
    // nothing waited. Throws std::runtime_error on an I/O failure.
    bool collect(proto::ChannelReceiver& receiver, std::stop_token stop = {});

    // What is known of the capture as soon as all of it was read. Before seal(), where the
    // configuration did not say it.
    void set_capture(CaptureFacts capture) { config_.capture = std::move(capture); }

    // Seals what was taken. Throws std::runtime_error, also when the ledger is refused. Requires:
    // called once, not after discard().
    SealResult seal();

    // Removes the `.part` file, and the folders if this collector made them and they are empty.
    void discard();

    const CollectorCounters& counters() const noexcept { return counters_; }

  private:
    void make_folders();
    FrameVerdict judge(const proto::FrameHeader& header);
    void keep(const proto::ReceivedFrame& frame);
    void read_kept();
    void answer(proto::ChannelReceiver& receiver);
    void take(proto::ChannelReceiver& receiver, const proto::ReceivedFrame& frame);

    DatasetConfig config_;
    LabelRules rules_;
    std::filesystem::path part_;
    std::vector<std::filesystem::path> made_folders_;  // outermost first
    FileDescriptor lock_;                              // the `.part` file's
    std::unique_ptr<Sealer> sealer_;
    proto::MappedMemory kept_octets_;  // of frames, one after the other
    proto::PagedFront kept_front_;
    size_t kept_used_ = 0;
    std::vector<proto::FrameView> kept_;   // whose octets these are
    std::vector<std::string> unanswered_;  // peers to tell of the frames of this turn
    FrameSequence sequence_;               // taken; ended by the ledger
    CollectorCounters counters_;
};

}  // namespace curlew::collector

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

// Frames on the probe's disk until a collector has made them durable, so that neither the end of
// the probe nor a collector that is away for hours loses what was exported.
//
// FOLDER/<epoch>-<first sequence>.spool, both 16 hex digits: a segment, preallocated with zeros. It
// holds the epoch's hello frame and then frames as they go over the channel (proto/FRAME.md), each
// with its own length and CRC32C; zeros are its end. Octets that are neither are what a crash cut
// or a disk damaged: they are told and passed over, and the segment is kept as NAME.spool.damaged,
// for people to look into and to delete.
// FOLDER/<epoch>.hello: the hello once more, should the front of every segment be damaged.
// FOLDER/<epoch>.acknowledged: the last sequence that a collector acknowledged, 16 hex digits, a
// blank and 8 of their CRC32C. It is written before a segment is deleted, but where the disk is
// full; one that does not hold is told, and all is sent again. FOLDER/.lock: held by the one probe
// that writes there.
//
// A frame may be sent when it is synced: fdatasync has returned, once for many frames (a thread of
// its own does that), and the segment's name is durable. What could not be synced is sent all the
// same, for a collector makes it durable, but is counted. A segment whose sync failed is never
// synced again: what is in it by then counts as not synced, the room that it had for more is given
// back, and what comes goes into another one.

namespace curlew::probe {

// Where a frame stands.
struct SpoolPlace {
    uint64_t segment = 0;  // counted from 0 in one Spool
    uint64_t offset = 0;
    uint32_t octets = 0;
};

// What an earlier run left: frames of one epoch whose sequences follow each other.
struct SpooledRun {
    struct Frame {
        std::filesystem::path file;
        uint64_t offset = 0;
        uint32_t octets = 0;
        uint64_t first_sequence = 0;
        uint64_t last_sequence = 0;
        uint32_t records = 0;  // 0: a ledger
    };

    uint64_t epoch = 0;
    uint64_t probe_id = 0;
    std::string hello;          // body of the epoch's hello
    std::vector<Frame> frames;  // at least one

    uint64_t records() const noexcept;
    uint64_t octets() const noexcept;
};

// A folder for the spool of one probe. One thread calls everything.
class SpoolFolder {
  public:
    // Makes and locks it. Throws std::runtime_error with one sentence, also when another probe
    // holds it.
    explicit SpoolFolder(std::filesystem::path path);
    ~SpoolFolder();
    SpoolFolder(const SpoolFolder&) = delete;
    SpoolFolder& operator=(const SpoolFolder&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

    // Everything that no collector acknowledged, the epoch that began first in front. Epochs
    // without such frames are removed. Sentences about what is lost or cannot be read go to
    // `problems`.
    std::vector<SpooledRun> left(std::vector<std::string>& problems);

    // A collector has all of the epoch up to here: written durably. False when it cannot be: errno
    // says why.
    bool note(uint64_t epoch, uint64_t last_acknowledged);
    // Nothing of the epoch is needed any more. Its position goes last, when nothing of the rest is
    // left that would be sent again without it.
    void remove(uint64_t epoch);

  private:
    std::filesystem::path path_;
    int lock_ = -1;
};

// Gives a damaged segment a second name, which is not deleted with its epoch, for people to look
// into. Returns a part of a sentence: where it is kept, or why it is not.
std::string keep_aside(const std::filesystem::path& segment);

// The frame's octets. Throws std::runtime_error when it cannot be read, or is not whole any more.
std::string read_spooled(const SpooledRun::Frame& frame);

// The frames of this run's epoch. One thread calls everything; another one of its own syncs.
class Spool {
  public:
    static constexpr uint64_t kSegmentOctets = uint64_t{64} << 20;
    static constexpr uint64_t kLeastSegmentOctets = uint64_t{1} << 20;  // for some frames
    // Each has a descriptor. While syncs fail a segment may have one frame.
    static constexpr size_t kMostSegments = 16'384;
    // Of the segments of a spool of so many octets: the newest and the oldest one may take all of
    // theirs of the disk, whatever is in them.
    static constexpr uint64_t segment_octets(uint64_t spool_octets) noexcept {
        return std::clamp(spool_octets / 8, kLeastSegmentOctets, kSegmentOctets);
    }

    // `hello` is the epoch's hello frame. Requires: the folder outlives this; it has no frame of
    // this epoch.
    Spool(SpoolFolder& folder,
          uint64_t epoch,
          std::string hello,
          uint64_t segment_octets = kSegmentOctets);
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // Throws std::runtime_error with one sentence when the disk does not take it: then nothing was
    // appended. Requires: sequences follow each other; hello and frame fit into a segment.
    SpoolPlace append(std::string_view frame, uint64_t first_sequence, uint64_t last_sequence);

    // All up to this sequence may be sent. Any thread.
    uint64_t synced() const noexcept { return synced_.load(std::memory_order_acquire); }

    // Throws std::runtime_error with one sentence when it cannot be read, or is not whole any more;
    // its segment is then kept aside. Requires: not yet acknowledged.
    std::string read(const SpoolPlace& place) const;

    // A collector has all up to `last_sequence`: deletes the segments that hold nothing else. On a
    // full disk that comes before the position is written.
    void acknowledged(uint64_t last_sequence);

    // Of what lies up to `last_sequence` nothing is wanted any more, and the next run sends none of
    // it, as far as the disk takes that.
    void forget(uint64_t last_sequence);

    // Of the segments that are there, counted from 0; it grows as they go.
    uint64_t first_segment() const noexcept { return first_segment_; }

    // Nothing comes any more, and a collector has all up to `last_sequence`: leaves only what it
    // has not, for the next run.
    void finish(uint64_t last_sequence);

    // Of segments, whatever was said to be synced meanwhile may be gone after a crash. Any thread;
    // one that reads synced() before has every failure of what it says.
    uint64_t failed_syncs() const noexcept { return failed_.load(std::memory_order_relaxed); }

  private:
    struct Segment;

    void begin_segment(uint64_t first_sequence);
    void sync_until_over();

    SpoolFolder& folder_;
    uint64_t epoch_;
    std::string hello_;
    uint64_t segment_octets_;
    std::deque<std::shared_ptr<Segment>> segments_;
    uint64_t first_segment_ = 0;  // number of the front one
    uint64_t noted_ = 0;          // the position that is on the disk
    bool said_hello_ = false;     // in a file of its own

    std::atomic<uint64_t> synced_{0};
    std::atomic<uint64_t> failed_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<Segment>> dirty_;  // under the mutex
    uint64_t appended_ = 0;                        // under the mutex
    std::vector<std::shared_ptr<Segment>> new_;    // under the mutex: their names are not durable
    bool over_ = false;                            // under the mutex
    std::thread syncing_;
};

}  // namespace curlew::probe

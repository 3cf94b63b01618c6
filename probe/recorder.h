#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probe/meter_ledger.h"
#include "probe/pcapng_writer.h"
#include "probe/port.h"
#include "probe/recording_folder.h"
#include "probe/recording_lane.h"
#include "proto/body_limits.h"
#include "proto/settled_clock.h"

// Writes what the workers' lanes bring into files of pcapng that take turns (RECORDING.md): one
// thread, which no worker waits for on a live line. What the disk does not take is lost to the
// recording alone, counted, and told by the next packet's drop count; another file is tried a
// little later.
//
// Packets of one worker keep their order. Those of several are put in order of time as far as each
// lane shows a packet; one that has shown none for kPatience is not waited for.

namespace curlew::probe {

struct RecorderConfig {
    // Of the ports' queues, in their order.
    struct Queue {
        uint32_t interface = 0;
        uint32_t number = 0;  // of its interface
    };

    std::filesystem::path folder;
    std::string probe;    // its name
    std::string program;  // name and version
    uint64_t epoch = 0;
    std::vector<PcapngInterface> interfaces;
    std::vector<Queue> queues;
    bool is_live = false;
    RecordingRotation rotate;
    RecordingRetention keep;
    std::chrono::milliseconds retry{5000};  // after the disk took nothing
};

class Recorder {
  public:
    static constexpr std::chrono::milliseconds kPatience{20};
    // Of files told in one ledger.
    static constexpr size_t kMostFiles = proto::kMaximumRecordingFiles;

    // Makes and locks the folder, and completes what an earlier run left open. Throws
    // std::runtime_error with one sentence. Requires: the lanes outlive this; `port_counters` has
    // one for each queue and may be called from run()'s thread.
    Recorder(const RecorderConfig& config,
             const std::vector<RecordingLane*>& lanes,
             std::function<std::vector<PortCounters>()> port_counters);

    // Until finish() and the lanes are empty; then the last file is complete.
    void run();

    // Any thread: nothing comes into the lanes any more, and the input ended at `end_ns`.
    void finish(uint64_t end_ns) noexcept {
        end_ns_ = end_ns;
        over_.store(true, std::memory_order_release);
    }

    // These: any thread.
    RecordingLedger ledger() const;
    // Sentences for people; each is given once.
    std::vector<std::string> news();

  private:
    using Clock = std::chrono::steady_clock;

    struct Inlet {
        RecordingLane* lane;
        std::span<const uint8_t> rest;  // of the message at its ring's front
        Clock::time_point shown_at;     // when it last had a packet

        bool look();
        uint64_t time_ns() const;
        void pass(size_t octets);
    };

    // Of one interface, in the open file.
    struct InterfaceState {
        PortCounters told;    // by statistics that were written
        PortCounters at_end;  // by those that are being written
        uint64_t delivered = 0;
        uint64_t lost = 0;             // told by its packets
        uint64_t lost_untold = 0;      // to be told by its next packet
        uint64_t waiting = 0;          // packets that the disk has not taken yet
        uint64_t lost_in_waiting = 0;  // told by those
    };

    bool take(bool over);
    void record(const RecordedPacket& packet, std::span<const uint8_t> octets);
    bool is_past(uint64_t time_ns) const;
    bool begin_file(uint64_t time_ns);
    void begin_interfaces();
    void make_room();
    void write_out();
    void note_written();
    // Whose input ended, or went on elsewhere, at this time.
    void end_file(uint64_t end_ns);
    void append_all_statistics(uint64_t end_ns);
    void give_up(const std::string& why);
    void complete_file();
    void watch_quiet_line();
    std::vector<PortCounters> counters_of_interfaces() const;
    void tell(std::string sentence);

    RecorderConfig config_;
    std::function<std::vector<PortCounters>()> port_counters_;
    RecordingFolder folder_;
    std::vector<RecordingLane*> lanes_;

    // The writing thread's.
    std::vector<Inlet> inlets_;
    std::vector<InterfaceState> interfaces_;
    std::optional<RecordingFile> file_;
    std::string file_name_;     // of the last one, once it is complete
    uint64_t file_number_ = 0;  // of the last one
    uint64_t named_ns_ = 0;     // the latest time in a file's name
    uint64_t window_from_ns_ = 0;
    uint64_t window_to_ns_ = 0;
    uint64_t first_ns_ = 0;         // of the file's packets
    uint64_t last_ns_ = 0;          // likewise, the latest
    bool is_told_ = false;          // the file is in files_
    std::string blocks_;            // not written yet
    uint64_t packets_waiting_ = 0;  // in blocks_
    uint64_t octets_waiting_ = 0;   // likewise, as captured
    uint64_t room_until_ = 0;       // octets of the file up to which the bounds are kept
    uint64_t rotate_octets_;        // 0: no bound
    Clock::time_point written_at_;
    Clock::time_point packet_at_;
    Clock::time_point retry_at_;
    Clock::time_point failed_at_;
    bool is_failing_ = false;    // people know
    bool is_left_open_ = false;  // the last file; people know
    proto::SettledClock clock_;

    uint64_t end_ns_ = 0;            // seen with over_
    std::atomic<bool> over_{false};  // written by finish()
    // Written by run()'s thread.
    std::atomic<uint64_t> packets_recorded_{0};
    std::atomic<uint64_t> octets_recorded_{0};
    std::atomic<uint64_t> packets_lost_{0};
    mutable std::mutex mutex_;
    std::deque<RecordingLedger::File> files_;  // under the mutex
    std::vector<std::string> news_;            // likewise
};

}  // namespace curlew::probe
